"""What ``barlake up`` shows: a live table on a terminal, plain lines anywhere else."""

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.live import Live
from rich.table import Table

from app.up.supervisor import Member

_COLOURS = {"ready": "green", "starting": "yellow", "waiting": "red", "stopping": "yellow"}


class Screen(Protocol):
    """Where the house tells how it is; a context manager."""

    def say(self, text: str) -> None:
        """One line that stays."""

    def tell(self, member: Member, words: str) -> None:
        """A part changed."""

    def show(self, members: Sequence[Member]) -> None:
        """How all parts are now."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Lines:
    """A line for each change."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        self._echo = echo

    def say(self, text: str) -> None:
        """One line."""
        self._echo(text)

    def tell(self, member: Member, words: str) -> None:
        """A line about a part."""
        pid = f"pid {member.pid}" if member.pid else ""
        address = member.part.address if member.state == "ready" else ""
        self._echo(f"{member.part.name:<10} {words:<12} {pid:<12} {address}".rstrip())

    def show(self, members: Sequence[Member]) -> None:
        """Nothing: the lines have told it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


class Board:
    """A table that is drawn again as parts change."""

    def __init__(self) -> None:
        self._members: Sequence[Member] = ()
        self._words: dict[str, str] = {}
        self._live = Live(get_renderable=self._draw, refresh_per_second=4)

    def say(self, text: str) -> None:
        """A line above the table."""
        self._live.console.print(text, highlight=False)

    def tell(self, member: Member, words: str) -> None:
        """Keep what a part says of itself; trouble is a line of its own as well."""
        self._words[member.part.name] = words
        if member.state == "waiting":
            self.say(f"{member.part.name} {words}. Its log is {member.part.log}.")

    def show(self, members: Sequence[Member]) -> None:
        """Draw these parts from now on."""
        self._members = members

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _draw(self) -> Table:
        table = Table(
            "part", "state", "pid", "where", box=None, header_style="bold", pad_edge=False
        )
        for member in self._members:
            name, colour = member.part.name, _COLOURS.get(member.state, "dim")
            words = self._words.get(name, member.state)
            pid = str(member.pid or "")
            table.add_row(name, f"[{colour}]{words}[/{colour}]", pid, member.part.address)
        return table


def screen(echo: Callable[[str], None]) -> Screen:
    """A board where a person watches, lines where a file or a pipe does."""
    return Board() if sys.stdout.isatty() else Lines(echo)
