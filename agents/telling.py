"""What agents tell the stream of events beside what the journal tells by itself."""

from datetime import datetime, timedelta

from lake import Commit, Fetched, sessions
from lake.errors import LakeError
from lake.journal import Journal, events
from lake.journal.events import BarsCommitted
from lake.logs import logger

_INSTANT = timedelta(microseconds=1)


def tell_bars(journal: Journal, fetched: Fetched, commit: Commit, dataset: str) -> None:
    """Tell the stream that bars are in the lake, after their commit.

    A journal that is busy costs the event, never the bars: they are stored, and the lake's table
    ``changes`` has every commit. A commit that changed nothing is told to nobody.
    """
    if not (commit.new or commit.corrected or commit.withdrawn or commit.quarantined):
        return
    try:
        events.tell(journal, _told(fetched, commit, dataset))
    except LakeError as error:
        logger(stage="events").warning("a commit was not told", reason=str(error))


def _told(fetched: Fetched, commit: Commit, dataset: str) -> BarsCommitted:
    times = fetched.bars["timestamp"]
    first, last = times.min(), times.max()
    moments = [(piece.start, piece.end - _INSTANT) for piece in fetched.covered]
    moments += [(first, last)] if isinstance(first, datetime) and isinstance(last, datetime) else []
    named = fetched.bars["symbol"].drop_nulls().unique()
    symbols = {piece.symbol for piece in fetched.covered} | {*named}
    return BarsCommitted(
        source=fetched.source,
        symbol=next(iter(symbols)) if len(symbols) == 1 else "",
        symbols=tuple(sorted(symbols)),
        dataset=dataset,
        first=sessions.today(min(start for start, _ in moments)) if moments else None,
        last=sessions.today(max(end for _, end in moments)) if moments else None,
        new=commit.new,
        corrected=commit.corrected,
        withdrawn=commit.withdrawn,
        quarantined=commit.quarantined,
        snapshot=commit.snapshot,
        job_id=fetched.job_id,
    )
