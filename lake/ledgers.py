"""Reading the lake's ledgers without DuckLake: their rows lie in the catalog, older ones in files.

A question to one symbol's ledger takes DuckLake 10 ms and more, for it plans the table anew; the
same rows straight from where they lie take one.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from lake.catalog import Catalog
from lake.coverage import Interval, covered, merge
from lake.planning import TRIES, DataFile, Plan, Planner
from lake.scanning import scan
from lake.sqltext import moment_of, quoted

#: Files of ledgers of which is remembered how far they reach.
_KEPT = 1_024


class Ledgers:
    """The ledgers of one lake, as they were at a snapshot that is still the newest."""

    def __init__(self, catalog: Catalog, planner: Planner) -> None:
        self._catalog, self._planner = catalog, planner
        self._greatest: dict[tuple[str, str], int] = {}

    def covered(
        self, dataset: str, source: str, symbols: Sequence[str]
    ) -> dict[str, list[Interval]]:
        """What was fetched completely, by symbol: merged intervals (UTC, end outside)."""
        keys = {"dataset": [dataset], "source": [source], "symbol": symbols}
        rows = self.rows("coverage", ["symbol", "start", "end"], keys)
        if rows is None:
            with self._catalog.reading() as connection:
                return {symbol: covered(connection, source, symbol, dataset) for symbol in symbols}
        found: dict[str, list[Interval]] = {symbol: [] for symbol in symbols}
        for symbol, start, end in rows:
            found[str(symbol)].append((moment_of(start), moment_of(end)))
        return {symbol: merge(intervals) for symbol, intervals in found.items()}

    def listed(self, dataset: str, source: str, symbols: Sequence[str]) -> set[str]:
        """Which of some symbols a source is known to have."""
        keys = {"dataset": [dataset], "source": [source], "symbol": symbols}
        rows = self.rows("series", ["symbol"], keys)
        if rows is None:
            with self._catalog.reading() as connection:
                rows = connection.execute(
                    "SELECT symbol FROM series WHERE dataset = ? AND source = ?", [dataset, source]
                ).fetchall()
        return {str(symbol) for (symbol,) in rows} & {*symbols}

    def shown_sources(self, dataset: str, symbol: str | None = None) -> dict[str, str] | None:
        """The source that ``bars`` shows of each symbol, as the view ``shown_sources`` has it.

        Args:
            dataset: Whose bars.
            symbol: Of this one alone.

        Returns:
            None if only DuckLake can say.
        """
        only = {} if symbol is None else {"symbol": [symbol]}
        rows = self.rows("series", ["symbol", "source"], {"dataset": [dataset], **only})
        chosen = self.rows("lake_settings", ["value"], {"name": ["default_source"]})
        if rows is None or chosen is None:
            return None
        default = {str(value) for (value,) in chosen}

        def rank(source: str) -> tuple[int, str]:
            return (0 if source in default else 2 if source.startswith("sandbox:") else 1), source

        held: dict[str, list[str]] = {}
        for name, source in rows:
            held.setdefault(str(name), []).append(str(source))
        return {name: min(sources, key=rank) for name, sources in held.items()}

    def rows(
        self,
        table: str,
        columns: Sequence[str],
        keys: Mapping[str, Sequence[str]],
        above: tuple[str, int] | None = None,
    ) -> list[tuple[object, ...]] | None:
        """Rows of a ledger, in no order; numbers and times may come as text.

        Args:
            table: One of ``lake.schema.LEDGERS``, or any whose rows are few.
            columns: Of the table, to be returned.
            keys: Columns that have one of some values each; none: all rows.
            above: A column whose number is greater.

        Returns:
            None if only DuckLake can say.
        """
        if not all(keys.values()):
            return []
        for _ in range(TRIES):
            plan = self._planner.plan([table], inlined=True)
            if plan is None:
                break
            try:
                return self._planned(plan, table, columns, keys, above)
            except FileNotFoundError:
                self._planner.forget()
        return None

    def all_rows(
        self,
        table: str,
        columns: Sequence[str],
        keys: Mapping[str, Sequence[str]],
        above: tuple[str, int] | None = None,
    ) -> list[tuple[object, ...]]:
        """As :meth:`rows`, by DuckLake where only it can say."""
        rows = self.rows(table, columns, keys, above)
        if rows is not None:
            return rows
        where = " AND ".join(["true", *(f'"{name}" IN ?' for name in keys)])
        more = "" if above is None else f' AND "{above[0]}" > {above[1]:d}'
        chosen = ", ".join(f'"{column}"' for column in columns)
        query = f"SELECT {chosen} FROM {table} WHERE {where}{more}"
        with self._catalog.reading() as connection:
            return connection.execute(query, [[*values] for values in keys.values()]).fetchall()

    def _planned(
        self,
        plan: Plan,
        table: str,
        columns: Sequence[str],
        keys: Mapping[str, Sequence[str]],
        above: tuple[str, int] | None,
    ) -> list[tuple[object, ...]]:
        conditions = [
            f"{name} IN ({', '.join(quoted(value) for value in values)})"
            for name, values in keys.items()
        ]
        where = " AND ".join(
            [
                *conditions,
                *([] if above is None else [f'"{above[0]}" > {above[1]:d}']),
                f"begin_snapshot <= {plan.snapshot}",
                f"(end_snapshot IS NULL OR end_snapshot > {plan.snapshot})",
            ]
        )
        wanted = ", ".join(f'"{column}"' for column in columns)
        rows: list[tuple[object, ...]] = []
        for inlined in plan.inlined:
            rows += self._planner.ask(f'SELECT {wanted} FROM "{inlined}" WHERE {where}')
        symbols = keys.get("symbol", ())
        files = [
            file
            for file in plan.files[table]
            if not symbols or any(file.may_hold(symbol, None, None) for symbol in symbols)
        ]
        if above is not None:
            files = [file for file in files if self._reaches(file, *above)]
        if files:
            mine = [pl.col(name).is_in([*values]) for name, values in keys.items()]
            mine += [] if above is None else [pl.col(above[0]) > above[1]]
            rows += scan(files, columns, (None, None), mine).collect().rows()
        return rows

    def _reaches(self, file: DataFile, column: str, number: int) -> bool:
        """Whether a row of a file may be greater in a column; looked at once, for files stay as they are."""
        key = file.path, column
        if key not in self._greatest:
            highest = scan([file], [column], (None, None)).max().collect().item()
            if len(self._greatest) >= _KEPT:
                self._greatest.clear()
            self._greatest[key] = -1 if highest is None else highest
        return self._greatest[key] > number
