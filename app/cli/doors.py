"""What commands open: the settings, the lake, the journal. Imports of weight wait until then."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from lake import Lake
    from lake.journal import Journal
    from lake.settings import Settings


@cache
def settings() -> "Settings":
    """The settings of this process; what they note is said once, on stderr.

    Raises:
        SettingsError: A value or the file ``.env`` cannot be used.
    """
    from lake.settings import load_settings

    loaded = load_settings()
    for sentence in loaded.notes:
        typer.echo(sentence, err=True)
    return loaded


@contextmanager
def opened_lake(*, create: bool = False) -> Iterator["Lake"]:
    """The lake of the settings' home.

    Raises:
        LakeMissingError: There is none yet and ``create`` is false.
    """
    from lake.opening import open_by

    with open_by(settings(), create=create) as opened:
        yield opened


def opened_journal() -> "Journal":
    """The journal of the settings' home, made if it is not there; a context manager closes it."""
    from lake.journal import Journal

    return Journal.open(settings().journal_url or settings().home)


def check_past(start: str | None) -> None:
    """Return if a range does not begin in the future.

    Raises:
        RangeError: It does, or it is neither a date nor a time with its zone.
    """
    from lake.errors import RangeError
    from lake.sessions import moment, today

    begin, now = moment(start), datetime.now(UTC)
    if begin is not None and begin > (now if isinstance(begin, datetime) else today(now)):
        problem = f"The range starts at {start}, which is in the future. Ask for a past one."
        raise RangeError(problem)


def log_quietly(journal: "Journal | None" = None) -> None:
    """Send this process's log lines to ``logs/cli.jsonl`` and the journal, not to the terminal."""
    from lake.logs import configure_logs

    chosen = settings()
    hidden = (chosen.alpaca_key, chosen.alpaca_secret, chosen.iex_token)
    secrets = [secret.get_secret_value() for secret in hidden]
    configure_logs("cli", home=chosen.home, journal=journal, stderr=False, secrets=secrets)


@contextmanager
def noted(stage: str, symbol: str | None = None) -> Iterator[dict[str, object]]:
    """Write to ``logs/cli.jsonl`` that work in this process began and how it ended, as workers do.

    Yields:
        What the last line shall say besides, by name: the block fills it.
    """
    from lake.errors import LakeError
    from lake.logs import log_context, logger

    log_quietly()
    log, facts = logger(), dict[str, object]()
    with log_context(stage=stage, symbol=symbol):
        log.info("began")
        try:
            yield facts
        except Exception as error:
            unknown = None if isinstance(error, LakeError) else error
            log.log(
                logging.ERROR, "broke" if unknown else "failed", reason=str(error), exc_info=unknown
            )
            raise
        log.info("done", **facts)
