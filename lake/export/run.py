"""Bringing an export up to the lake: what changed is written, what is gone is removed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import polars as pl

from lake.errors import RangeError
from lake.export import files
from lake.export.folder import ExportFolderError, Folder, Notes, Written, opened
from lake.schema import check_symbol
from lake.sessions import Moment, moment, window
from lake.store import Lake

#: Called before each symbol: symbols done, symbols in all, the symbol.
Tell = Callable[[int, int, str], None]

Days = tuple[date, date]


@dataclass
class Exported:
    """What an export did, in files; ``bars`` counts the rows of those that were written.

    Attributes:
        mended: Files that were not as the lake has them although nothing had changed (found by
            ``verify`` or by a wrong count of rows); they are written again.
    """

    folder: str
    symbols: int = 0
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    mended: int = 0
    bars: int = 0


def export(
    lake: Lake,
    folder: Path | str,
    symbols: Sequence[str] = (),
    start: Moment = None,
    end: Moment = None,
    *,
    layout: str | None = None,
    names: str | None = None,
    file_format: str | None = None,
    source: str | None = None,
    verify: bool = False,
    tell: Tell = lambda *_: None,
) -> Exported:
    """Write the raw 1-minute bars of the lake as plain files, or bring such files up to date.

    A repeat writes only files whose sessions the ledger ``changes`` names since, or that are not
    there as they were written, and removes files whose bars are all gone. Each file appears whole
    or not; killed at any point it is simply repeated. Memory holds one year of one symbol.

    Args:
        folder: Not there, empty, or an export of this lake.
        symbols: Tickers; all without one, and then files of symbols the lake lost go too.
        start: First session date; files outside the range are left as they are. A file is always
            whole: with years, those that the range touches.
        end: Last session date, included.
        layout: A file for each ``day``, ``year`` or ``symbol``; None: as the folder has it, or day.
        names: Folders ``bare`` (SPY) or ``hive`` (symbol=SPY); None: as the folder has it, or bare.
        file_format: ``parquet`` or ``csv``; None: as the folder has it, or parquet.
        source: Provider and feed; None for the one ``bars`` shows.
        verify: Read every file again, too, and compare its rows with the lake's.
        tell: Told of progress.

    Raises:
        BarsMissingError: The lake has no bars of a named symbol.
        ExportFolderError: The folder holds something else or an export of another shape.
        ExportBusyError: Another process exports into it.
        RangeError: The range is no range of dates, or the files hold whole histories.
    """
    span = _days(start, end)
    asked = {"layout": layout, "names": names, "format": file_format}
    sources = _sources(lake, symbols, source)
    done = Exported(str(folder))
    with opened(Path(folder), asked, _identity(lake)) as place:
        if span != (date.min, date.max) and place.shape.layout == "symbol":
            problem = (
                "A file for each symbol holds all of its history. Leave out --start and --end, "
                "or export --layout day or year."
            )
            raise RangeError(problem)
        known, counts = _known(lake, sources), _counts(lake)
        for number, (symbol, origin) in enumerate(sorted(sources.items())):
            tell(number, len(sources), symbol)
            one = _Symbol(lake, place, symbol, origin, known.get(symbol, {}), span, done)
            one.bring()
            if verify or one.differs(counts.get((symbol, origin), 0)):
                one.verify()
        if not symbols:
            _remove_lost(place, set(sources), done)
    done.symbols = len(sources)
    tell(len(sources), len(sources), "")
    return done


def refresh_mirror(lake: Lake, folder: Path | None) -> Exported | None:
    """Bring the mirror of a lake up to date; None where no folder is set.

    A first mirror is written by days; a folder exported before keeps its shape.
    """
    return export(lake, folder) if folder is not None else None


class _Symbol:
    """One symbol's files."""

    def __init__(
        self,
        lake: Lake,
        place: Folder,
        symbol: str,
        source: str,
        known: dict[date, int],
        span: Days,
        done: Exported,
    ) -> None:
        self._lake, self._place, self._done = lake, place, done
        self._symbol, self._source = symbol, source
        self._all, self._span = known, span
        notes = place.notes(symbol) or Notes(source)
        fresh = Notes(source)
        if (notes.source, notes.columns) != (fresh.source, fresh.columns):
            stale = {p: Written(-1, f.rows, f.size, "") for p, f in notes.files.items()}
            notes = Notes(source, files=stale)
        self._notes = notes

    def bring(self) -> None:
        """Write what changed, remove what is gone."""
        wanted = self._wanted()
        held = self._notes.files
        stale = {
            period
            for period, known in wanted.items()
            if period not in held
            or held[period].known != known
            or not self._place.has(self._symbol, period, held[period])
        }
        gone = [period for period in held if period not in wanted and self._asked(period)]
        for period, years in self._read(stale):
            self._put(period, years, wanted[period])
        for period in gone:
            self._done.removed += self._place.remove(self._symbol, period)
            del held[period]
        self._done.unchanged += sum(1 for p in wanted.keys() - stale if held[p].rows)
        if stale or gone:
            self._place.remember(self._symbol, self._notes)

    def differs(self, bars: int) -> bool:
        """Whether the files have another count of bars than the lake; nothing, for a range."""
        whole = self._span == (date.min, date.max)
        return whole and sum(facts.rows for facts in self._notes.files.values()) != bars

    def verify(self) -> None:
        """Compare the rows of every file with the lake's; write again what differs."""
        wanted = self._wanted()
        before = self._done.mended
        for period, years in self._read(set(wanted)):
            frames = list(years) if self._place.shape.layout != "symbol" else None
            expected = files.digest(frames if frames is not None else self._history())
            if self._content(period) == expected:
                continue
            self._put(period, frames if frames is not None else self._history(), wanted[period])
            self._done.mended += 1
            held = self._notes.files[period]
            if self._content(period) != (held.rows, held.content or files.joined([])):
                path = self._place.path(self._symbol, period)
                problem = f"{path} does not read as it was written: look at that disk, and repeat."
                raise ExportFolderError(problem)
        if self._done.mended != before:
            self._place.remember(self._symbol, self._notes)

    def _content(self, period: str) -> tuple[int, str]:
        path = self._place.path(self._symbol, period)
        if not path.exists():
            return 0, files.joined([])
        try:
            return files.digest(files.years_of(path))
        except (OSError, pl.exceptions.PolarsError):
            return -1, ""

    def _wanted(self) -> dict[str, int]:
        """The newest change of each file that the range asks for."""
        wanted: dict[str, int] = {}
        for session, known in self._all.items():
            period = self._place.shape.period(session)
            if self._asked(period):
                wanted[period] = max(known, wanted.get(period, known))
        return wanted

    def _asked(self, period: str) -> bool:
        start, end = self._span
        shape = self._place.shape
        return not period or shape.period(start) <= period <= shape.period(end)

    def _read(self, periods: set[str]) -> Iterator[tuple[str, Iterable[pl.DataFrame]]]:
        """The lake's bars of some files, read a year at a time."""
        if self._place.shape.layout == "symbol":
            yield from ((period, self._history()) for period in periods)
            return
        years: dict[int, list[str]] = {}
        for period in sorted(periods):
            years.setdefault(int(period[:4]), []).append(period)
        for year, parts in years.items():
            if self._place.shape.layout == "year":
                yield parts[0], [self._bars(date(year, 1, 1), date(year, 12, 31))]
                continue
            bars = self._bars(date.fromisoformat(parts[0]), date.fromisoformat(parts[-1]))
            found = bars.partition_by("session_date", as_dict=True)
            for part in parts:
                yield part, [found.get((date.fromisoformat(part),), bars.clear())]

    def _history(self) -> Iterator[pl.DataFrame]:
        for year in range(min(self._all).year, max(self._all).year + 1):
            yield self._bars(date(year, 1, 1), date(year, 12, 31))

    def _bars(self, first: date, last: date) -> pl.DataFrame:
        return self._lake.bars(self._symbol, first, last, source=self._source)

    def _put(self, period: str, years: Iterable[pl.DataFrame], known: int) -> None:
        """Write one file, unless it holds the same already; remove it where no bar is left."""
        path = self._place.path(self._symbol, period)
        held = self._notes.files.get(period)
        try:
            draft = files.draft(path, years)
            if draft.rows != files.counted_rows(draft.path):
                raise ExportFolderError(f"{draft.path} does not have the rows written to it.")
            self._settle(period, path, draft, known, held)
        except OSError as error:
            problem = f"The file {path} cannot be written: {error.strerror or error}. What is whole stays; repeat it."
            raise ExportFolderError(problem) from error
        finally:
            path.with_name(f".{path.name}.part").unlink(missing_ok=True)

    def _settle(
        self, period: str, path: Path, draft: files.Draft, known: int, held: Written | None
    ) -> None:
        facts = Written(known, draft.rows, draft.path.stat().st_size, draft.content)
        if not draft.rows:
            draft.path.unlink()
            self._done.removed += self._place.remove(self._symbol, period)
            facts = Written(known, 0, 0, "")
        elif (
            held
            and held.content == draft.content
            and self._place.has(self._symbol, period, held)
            and self._content(period) == (draft.rows, draft.content)
        ):
            facts = Written(known, held.rows, held.size, held.content)
            self._done.unchanged += 1
        else:
            draft.path.replace(path)
            self._done.written += 1
            self._done.bars += draft.rows
        self._notes.files[period] = facts


def _days(start: Moment, end: Moment) -> Days:
    window(start, end)  # a reversed range is refused
    first, last = moment(start), moment(end)
    for bound in (first, last):
        if isinstance(bound, datetime):
            problem = f"{bound} is a time. Files hold whole sessions: give dates like 2024-05-01."
            raise RangeError(problem)
    return first or date.min, last or date.max


def _sources(lake: Lake, symbols: Sequence[str], source: str | None) -> dict[str, str]:
    """The source of each symbol that is to be exported."""
    if symbols:
        return {check_symbol(one): lake.source_of(one, source) for one in symbols}
    table, only = ("series", "AND source = ?") if source else ("shown_sources", "")
    with lake.reading() as connection:
        query = f"SELECT symbol, source FROM {table} WHERE dataset = 'bars_1m' {only}"
        return dict(connection.execute(query, [source] if source else []).fetchall())


def _known(lake: Lake, sources: dict[str, str]) -> dict[str, dict[date, int]]:
    """When each session last changed (microseconds), by symbol; asked before any bar is read."""
    chosen = pl.DataFrame({"symbol": list(sources), "source": list(sources.values())},
                          schema={"symbol": pl.String, "source": pl.String})  # fmt: skip
    with lake.reading() as connection:
        connection.register("chosen", chosen)
        found = connection.execute(
            """SELECT symbol, session, epoch_us(max(recorded_at)) AS known FROM changes JOIN chosen USING (symbol, source)
               WHERE kind <> 'actions' GROUP BY symbol, session ORDER BY symbol, session"""
        ).pl()
    return {
        str(symbol): dict(part.select("session", "known").iter_rows())
        for (symbol,), part in found.partition_by("symbol", as_dict=True).items()
    }


def _counts(lake: Lake) -> dict[tuple[str, str], int]:
    rows = lake.symbols().select("symbol", "source", "bars").iter_rows()
    return {(symbol, source): bars for symbol, source, bars in rows}


def _identity(lake: Lake) -> str:
    with lake.reading() as connection:
        row = connection.execute(
            "SELECT table_uuid FROM ducklake_table_info('lake') WHERE table_name = 'bars_1m'"
        ).fetchone()
    return str(row[0]) if row else ""


def _remove_lost(place: Folder, symbols: set[str], done: Exported) -> None:
    """Remove the files of symbols that the lake does not have any more."""
    for symbol in place.symbols():
        notes = place.notes(symbol)
        if symbol in symbols or notes is None:
            continue
        for period in notes.files:
            done.removed += place.remove(symbol, period)
        place.forget(symbol)
