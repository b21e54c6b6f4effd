"""What commands open: the settings, the lake, the journal. Imports of weight wait until then."""

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
    import lake
    from lake.room import parse_room

    floor = parse_room(settings().disk_floor)
    with lake.open(settings().home, create=create, floor=floor) as opened:
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
