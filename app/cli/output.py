"""How commands print: tables for people, JSON for scripts, files that appear whole or not."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lake.errors import ProblemError

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

PIPE_WIDTH = 200
SKIPPED = "…"
_MOST_DECIMALS = 4
_SMALL, _LARGE = 1e-4, 1e15


class OutputError(ProblemError):
    """A file that cannot be written where the user wants it."""


def say(text: str = "") -> None:
    """One line on stdout, as it is, and at once: a pipe or a file is read while we go on."""
    print(text, flush=True)


def remark(text: str) -> None:
    """One line on stderr: what a reader should know and a script should not have to skip."""
    sys.stdout.flush()
    print(text, file=sys.stderr)


def show_json(value: Any) -> None:
    """A value on stdout as JSON: times as RFC 3339 in UTC, nothing as null."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
    sys.stdout.write(orjson.dumps(value, default=_plain, option=options).decode())


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = ""
) -> None:
    """A table on stdout; numbers to the right, with as many decimals as their column needs."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    listed = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    shown = []
    for position, name in enumerate(columns):
        cells = [row[position] for row in listed]
        told = [cell for cell in cells if cell is not None and cell != SKIPPED]
        right = bool(told) and all(_is_number(cell) for cell in told)
        table.add_column(escape(name), justify="right" if right else "left", overflow="fold")
        decimals = max((_decimals(cell) for cell in told if isinstance(cell, float)), default=0)
        shown.append([escape(text(cell, decimals=decimals)) for cell in cells])
    for row in zip(*shown, strict=True):
        table.add_row(*row)
    if title:
        say(f"\n{title}")
    console().print(table)


def show_frame(frame: "pl.DataFrame", *, title: str = "", most: int = 40) -> None:
    """A frame as a table: all of it, or its first and last rows if it has more than ``most``."""
    rows = frame.rows()
    if len(rows) > most:
        half = most // 2
        rows = [*rows[:half], (SKIPPED,) * frame.width, *rows[-half:]]
    show_table(frame.columns, rows, title=title)


def console() -> "Console":
    """The console of stdout, wide where nobody looks at it."""
    from rich.console import Console

    wide = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(width=wide, highlight=False, soft_wrap=False)


def text(value: object, *, decimals: int = _MOST_DECIMALS) -> str:
    """A value as a person reads it: times as RFC 3339 in UTC, thousands apart, nothing as -."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        plain = value == 0 or _SMALL <= abs(value) < _LARGE
        return f"{value:,.{decimals}f}" if plain else f"{value:.4g}"
    return str(value)


def counted(number: int, noun: str) -> str:
    """A number and its noun, in the right number.

    >>> counted(1, "bar"), counted(1200, "bar")
    ('1 bar', '1,200 bars')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def rfc3339(moment: datetime) -> str:
    """An aware time in UTC, like 2024-05-01T13:30:00Z; a naive one as it is.

    >>> rfc3339(datetime(2024, 5, 1, 13, 30, tzinfo=UTC))
    '2024-05-01T13:30:00Z'
    """
    if moment.tzinfo is None:
        return moment.isoformat()
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def size(number: int) -> str:
    """Bytes as a person reads them.

    >>> size(1_536_000)
    '1.5 MB'
    """
    amount, units = float(number), ["B", "kB", "MB", "GB"]
    while amount >= 1000 and len(units) > 1:  # noqa: PLR2004
        amount, units = amount / 1000, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "B" else f"{amount:.1f} {units[0]}"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write to, which becomes ``path`` if the block ends well.

    Raises:
        OutputError: The folder is not there or does not let us write.
    """
    if path.is_dir() or not path.parent.is_dir():
        missing = "is a folder" if path.is_dir() else f"cannot be made: {path.parent} is no folder"
        problem = f"The file {path} {missing}. Choose another with -o."
        raise OutputError(problem)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        problem = f"The file {path} cannot be written: {error.strerror or error}."
        raise OutputError(problem) from error
    finally:
        part.unlink(missing_ok=True)


def made_folder(folder: Path) -> Path:
    """The folder itself, made if it is not there.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"The folder {folder} cannot be made: {error.strerror or error}."
        raise OutputError(problem) from error
    return folder


def csv_text(frame: "pl.DataFrame") -> str:
    """A frame as CSV with times as RFC 3339 in UTC; lists and structs as JSON."""
    import orjson
    import polars as pl

    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    flat = frame.with_columns(
        pl.col(name).map_elements(
            lambda cell: orjson.dumps(
                cell.to_list() if isinstance(cell, pl.Series) else cell, default=_plain
            ).decode(),
            return_dtype=pl.String,
        )
        for name in nested
    )
    return flat.with_columns(_zulu(flat)).write_csv()


def _zulu(frame: "pl.DataFrame") -> list["pl.Expr"]:
    """RFC 3339 with a Z, and a fraction only where a column has one."""
    import polars as pl

    expressions = []
    for name, kind in frame.schema.items():
        if isinstance(kind, pl.Datetime) and kind.time_zone:
            utc = pl.col(name).dt.convert_time_zone("UTC")
            fraction = frame.select((utc.dt.microsecond() != 0).any()).item()
            shape = "%Y-%m-%dT%H:%M:%S%.6fZ" if fraction else "%Y-%m-%dT%H:%M:%SZ"
            expressions.append(utc.dt.strftime(shape).alias(name))
    return expressions


def _plain(value: object) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _is_number(cell: object) -> bool:
    if isinstance(cell, str):
        return cell.endswith("%") and cell[-2:-1].isdigit()
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _decimals(value: float) -> int:
    return len(f"{value:.{_MOST_DECIMALS}f}".rstrip("0").partition(".")[2])
