"""How far work in this process is: a line on a terminal, and nothing where nobody looks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def shown_progress() -> Iterator[Callable[[str, float], None]]:
    """Show a bar on stderr for as long as the block works, if that is a terminal.

    Yields:
        Takes what is being done, and the share done, 0 to 1.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        line = bars.add_task("", total=1.0)

        def tell(doing: str, share: float) -> None:
            bars.update(line, completed=share, description=doing)

        yield tell
