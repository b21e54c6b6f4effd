"""Bars piece by piece: one symbol's year at a time, for results larger than memory."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import polars as pl
import pyarrow as pa
from polars.io.plugins import register_io_source

from lake.errors import RangeError
from lake.reader import Reader
from lake.reading import Question, Span
from lake.schema import BAR_SCHEMA
from lake.sessions import midnight, today
from lake.timeframes import NEEDED

_SCHEMA = pl.Schema(
    {
        **{name: BAR_SCHEMA[name] for name in ("symbol", *NEEDED) if name in BAR_SCHEMA},
        "flags": pl.Int32(),
        "source": pl.String(),
        "session_date": pl.Date(),
        "is_regular": pl.Boolean(),
    }
)


def pieces(reader: Reader, question: Question) -> Iterator[pl.DataFrame]:
    """The bars of a question, one symbol's year at a time, in the order of the whole."""
    if question.limit is not None:
        raise RangeError("A stream has no limit of newest bars: give it a start, or use bars().")
    for symbol in question.symbols:
        alone = replace(question, symbols=(symbol,))
        for span in _years(reader, alone):
            yield reader.read(replace(alone, start=span[0], end=span[1]))


def batches(reader: Reader, question: Question) -> pa.RecordBatchReader:
    """The pieces as Arrow record batches."""
    schema = pl.DataFrame(schema=_schema(question)).to_arrow().schema

    def flow() -> Iterator[pa.RecordBatch]:
        for piece in pieces(reader, question):
            table = piece.to_arrow().cast(schema)
            yield from table.combine_chunks().to_batches()

    return pa.RecordBatchReader.from_batches(schema, flow())


def lazy(reader: Reader, question: Question) -> pl.LazyFrame:
    """The pieces as a lazy frame: columns that are not used are not read."""
    schema = _schema(question)

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        names = columns if columns is not None else schema.names()
        # A predicate may name columns that the answer does not have.
        used = {*names, *(predicate.meta.root_names() if predicate is not None else ())}
        asked = replace(question, columns=tuple(name for name in schema.names() if name in used))
        left = rows
        for piece in pieces(reader, asked):
            found = piece if predicate is None else piece.filter(predicate)
            found = found.select(names)
            if left is not None:
                found = found.head(left)
                left -= found.height
            yield found
            if left is not None and left <= 0:
                return

    return register_io_source(source, schema=schema, is_pure=True)


def _schema(question: Question) -> pl.Schema:
    return pl.Schema({name: _SCHEMA[name] for name in question.columns})


def _years(reader: Reader, question: Question) -> Iterator[Span]:
    """Ranges that join to the question's own, cut where a New York year and no week begins anew."""
    first, last = reader.extent(question)
    if first is None or last is None:
        yield question.span
        return
    cuts = [_first_monday(year) for year in range(today(first).year, today(last).year + 1)]
    inside = [cut for cut in cuts if first < cut <= last]
    edges = [question.start, *inside, question.end]
    yield from pairwise(edges)


def _first_monday(year: int) -> datetime:
    """Where a year may be cut and no weekly bar with it."""
    new_year = datetime(year, 1, 1, tzinfo=UTC).date()
    return midnight(new_year.replace(day=1 + (7 - new_year.weekday()) % 7))
