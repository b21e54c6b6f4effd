"""The folder of an export: how its files are called, and what it remembers of each."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from lake.errors import ProblemError, TransientError
from lake.timeframes import READ_COLUMNS

LAYOUTS = ("day", "year", "symbol")
NAMES = ("bare", "hive")
FORMATS = ("parquet", "csv")

#: Our notes in the folder; a dot keeps them out of most tools' sight.
_NOTES = ".barlake"
_VERSION = 1
_SHOWN = 3


class ExportFolderError(ProblemError):
    """A folder that cannot take an export, or not this one."""


class ExportBusyError(TransientError):
    """Another process exports into the same folder."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self.folder = folder

    def __str__(self) -> str:
        return f"Another process exports into {self.folder}. Ask again when it is done."


@dataclass(frozen=True)
class Shape:
    """What the files of an export hold and how they are called."""

    layout: str = "day"
    names: str = "bare"
    format: str = "parquet"

    def period(self, session: date) -> str:
        """The part of a symbol's history whose file holds a session; empty for all of it."""
        return {"day": str(session), "year": f"{session.year:04d}", "symbol": ""}[self.layout]

    def file(self, symbol: str, period: str) -> Path:
        """A file's place in the folder. A checked symbol is a safe name of a folder."""
        name = f"symbol={symbol}" if self.names == "hive" else symbol
        part = {"day": f"dt={period}", "year": f"year={period}", "symbol": ""}[self.layout]
        return Path(name, part, f"bars.{self.format}")


@dataclass(frozen=True)
class Written:
    """What was written for one period of one symbol.

    Attributes:
        known: ``recorded_at`` (microseconds) of the newest change that the file has.
        rows: Bars; 0 where all were withdrawn and there is no file.
        size: Of the file, in bytes.
        content: A hash of its rows.
    """

    known: int
    rows: int
    size: int
    content: str


@dataclass
class Notes:
    """What the folder remembers of one symbol: its source, and each file by its period."""

    source: str
    columns: list[str] = field(default_factory=lambda: list(READ_COLUMNS))
    files: dict[str, Written] = field(default_factory=dict)


@dataclass(frozen=True)
class Folder:
    """An export's folder, while we hold its lock."""

    root: Path
    shape: Shape

    def path(self, symbol: str, period: str) -> Path:
        """Where a file lies."""
        return self.root / self.shape.file(symbol, period)

    def symbols(self) -> list[str]:
        """Every symbol that the folder has notes of."""
        return sorted(note.stem for note in (self.root / _NOTES).glob("*.json") if note.stem != "")

    def notes(self, symbol: str) -> Notes | None:
        """What is remembered of a symbol; None for nothing, or nothing that can be read."""
        try:
            found = json.loads(self._note(symbol).read_bytes())
            files = {period: Written(*facts) for period, facts in found["files"].items()}
            return Notes(found["source"], found["columns"], files)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def remember(self, symbol: str, notes: Notes) -> None:
        """Keep what was written of a symbol."""
        files = {period: list(asdict(facts).values()) for period, facts in notes.files.items()}
        content = {"source": notes.source, "columns": notes.columns, "files": files}
        _replace(self._note(symbol), content)

    def forget(self, symbol: str) -> None:
        """Remember nothing of a symbol any more."""
        self._note(symbol).unlink(missing_ok=True)

    def has(self, symbol: str, period: str, facts: Written) -> bool:
        """Whether the file is there as it was written, by its size."""
        if not facts.rows:
            return True
        try:
            return self.path(symbol, period).stat().st_size == facts.size
        except OSError:
            return False

    def remove(self, symbol: str, period: str) -> bool:
        """Remove a file, and the folders that this leaves empty; whether it was there."""
        path = self.path(symbol, period)
        there = path.exists()
        path.unlink(missing_ok=True)
        for parent in (path.parent, path.parent.parent):
            with suppress(OSError):  # it still holds something
                if parent != self.root:
                    parent.rmdir()
        return there

    def _note(self, symbol: str) -> Path:
        return self.root / _NOTES / f"{symbol}.json"


@contextmanager
def opened(root: Path, asked: dict[str, str | None], lake_id: str) -> Iterator[Folder]:
    """An export's folder for a block, made if it is not there; one process at a time.

    Args:
        root: Empty, not there, or an export of this lake.
        asked: ``layout``, ``names``, ``format``; None for what the folder has, or the usual.
        lake_id: Which lake is exported.

    Raises:
        ExportFolderError: It holds something else, another lake, or files of another shape.
        ExportBusyError: Another process is at it.
    """
    _check(asked)
    root = root.expanduser().absolute()
    notes = root / _NOTES
    _check_empty(root, notes)
    descriptor = _locked(root, notes)
    try:
        yield Folder(root, _shape(root, asked, lake_id))
    finally:
        os.close(descriptor)


def _locked(root: Path, notes: Path) -> int:
    try:
        notes.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(notes / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        problem = f"The folder {root} cannot be written: {error.strerror or error}."
        raise ExportFolderError(problem) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ExportBusyError(str(root)) from None
    return descriptor


def _check(asked: dict[str, str | None]) -> None:
    known = {"layout": LAYOUTS, "names": NAMES, "format": FORMATS}
    for name, value in asked.items():
        if value is not None and value not in known[name]:
            problem = (
                f"{value[:40]!r} is no {name} of an export. Use one of {', '.join(known[name])}."
            )
            raise ExportFolderError(problem)


def _check_empty(root: Path, notes: Path) -> None:
    if root.exists() and not root.is_dir():
        raise ExportFolderError(f"{root} is a file. Name a folder for the export.")
    if root.is_dir() and not notes.is_dir() and any(root.iterdir()):
        names = sorted(found.name for found in root.iterdir())
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        problem = (
            f"{root} holds something that is no export of ours ({shown}). "
            "Name an empty folder, or one that does not exist yet."
        )
        raise ExportFolderError(problem)


def _shape(root: Path, asked: dict[str, str | None], lake_id: str) -> Shape:
    """The folder's shape: kept from its first export, or given now."""
    note = root / _NOTES / "export"
    wanted = {name: value for name, value in asked.items() if value is not None}
    try:
        held = json.loads(note.read_bytes())
    except FileNotFoundError:
        shape = Shape(**wanted)
        _replace(note, {"version": _VERSION, "lake": lake_id, **asdict(shape)})
        return shape
    except (OSError, ValueError):
        held = {}
    if held.get("version") != _VERSION:
        problem = f"The notes of the export in {root} cannot be read. Export into a new folder."
        raise ExportFolderError(problem)
    if held["lake"] != lake_id:
        problem = f"{root} is the export of another lake. Name another folder."
        raise ExportFolderError(problem)
    shape = Shape(held["layout"], held["names"], held["format"])
    if different := {name: held[name] for name, value in wanted.items() if value != held[name]}:
        had = ", ".join(f"--{name} {value}" for name, value in different.items())
        problem = f"The export in {root} was made with {had}. Say the same, or name another folder."
        raise ExportFolderError(problem)
    return shape


def _replace(path: Path, content: object) -> None:
    draft = path.with_name(f"{path.name}.part")
    draft.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
    draft.replace(path)
