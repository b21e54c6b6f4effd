"""The macros SQL users call; they are stored in the lake and work from any DuckDB beside the views.

Each takes a ticker and gives rows: ``FROM bars_at('SPY', '15 minutes')``. Named parameters have
defaults that are text, '' for "not told": a lake with a typed default of NULL cannot be opened any
more (DuckLake 1.0). No parameter is called like a column: DuckDB could not tell them apart.
Conditions on parameters are constants, so DuckDB plans only what was asked for.
"""

from dataclasses import dataclass

from lake.adjustment import ADJUSTMENTS, PRICES
from lake.datasets import BARS_1M, BARS_DAILY, Dataset
from lake.factor_sql import factors, known_bars
from lake.timeframes import READ_COLUMNS, minute_bars, rolled


@dataclass(frozen=True)
class Macro:
    """A table macro.

    Attributes:
        parameters: As they are declared.
        query: Its SQL.
        comment: What it gives, for SQL users.
        example: A call.
    """

    parameters: str
    query: str
    comment: str
    example: str


_SYMBOL = "upper(trim(ticker))"
_ADJUST = "lower(adjust)"
_SOURCE = "nullif(from_source::VARCHAR, '')"
_SINCE = "TRY_CAST(nullif(since::VARCHAR, '') AS DATE)"
_UNTIL = "TRY_CAST(nullif(until::VARCHAR, '') AS DATE)"
_PERIOD = "TRY_CAST(period::VARCHAR AS INTERVAL)"
_MINUTES = f"""(regexp_full_match({_PERIOD}::VARCHAR, '\\d\\d:\\d\\d:00')
    AND {_PERIOD} >= INTERVAL 1 MINUTE AND {_PERIOD} < INTERVAL 1 DAY)"""
_DAILY = f"({_PERIOD}::VARCHAR = '1 day')"
_WEEKLY = f"({_PERIOD}::VARCHAR = '7 days')"
_WIDTH = f"CASE WHEN {_MINUTES} THEN {_PERIOD} END"
_EVER = "NULL::TIMESTAMPTZ"


def _moment(parameter: str) -> str:
    """When the lake knew: a date is the whole New York day."""
    text = f"{parameter}::VARCHAR"
    night = f"(TRY_CAST({text} AS DATE) + 1)::TIMESTAMP AT TIME ZONE 'America/New_York'"
    return (
        f"(CASE WHEN regexp_full_match({text}, '\\d{{4}}-\\d{{2}}-\\d{{2}}') "
        f"THEN {night} - INTERVAL 1 MICROSECOND ELSE TRY_CAST(nullif({text}, '') AS TIMESTAMPTZ) END)"
    )


def _source(dataset: Dataset) -> str:
    """The source to read, in a table of one row: the named one, or the one that is shown."""
    return f"""(SELECT h.source FROM lake.main.shown_sources h
        WHERE h.dataset = '{dataset.name}' AND h.symbol = {_SYMBOL} AND {_SOURCE} IS NULL
        UNION ALL SELECT {_SOURCE} AS source WHERE {_SOURCE} IS NOT NULL)"""


def _raw(dataset: Dataset, moment: str, *, weekly: str = "false") -> str:
    """SQL of the stored bars of one series, with their session; whole weeks where those are asked for."""
    first = f"CASE WHEN {weekly} THEN date_trunc('week', {_SINCE})::DATE ELSE {_SINCE} END"
    last = f"CASE WHEN {weekly} THEN date_trunc('week', {_UNTIL})::DATE + 6 ELSE {_UNTIL} END"
    zone = "AT TIME ZONE 'America/New_York'"
    bars = minute_bars(
        known_bars(dataset, moment),
        only=f"""b.symbol = {_SYMBOL} AND ({_SOURCE} IS NULL OR b.source = {_SOURCE})
            AND b.source IN (SELECT x.source FROM {_source(dataset)} x)
            AND ({_SINCE} IS NULL OR b.timestamp >= ({first})::TIMESTAMP {zone})
            AND ({_UNTIL} IS NULL OR b.timestamp < (({last}) + 1)::TIMESTAMP {zone})""",
    )
    if dataset is BARS_DAILY:  # whose bars open at midnight and are all regular
        return f"SELECT * REPLACE (true AS is_regular) FROM ({bars})"
    return f"SELECT r.* FROM ({bars}) r WHERE NOT regular_only OR r.is_regular"


def _adjusted(bars: str, dataset: Dataset, adjust: str, moment: str) -> str:
    """SQL of the bars in the shares and the money of the newest session."""
    steps = factors(symbol=_SYMBOL, source=_source(dataset), adjust=adjust, moment=moment)
    # A row a day and not a range: joining by equality takes a tenth of the time.
    days = f"""
        SELECT unnest(range(coalesce(e.prior, DATE '1900-01-01')::TIMESTAMP, e.ex_date::TIMESTAMP, INTERVAL 1 DAY))::DATE AS day,
               e.divisor, e.shares, e.trouble FROM ({steps}) e WHERE {adjust} <> 'raw'"""
    made = {name: f"b.{name} / coalesce(f.divisor, 1)" for name in PRICES}
    made["volume"] = "b.volume * coalesce(f.shares, 1)"
    columns = ", ".join(f"{made.get(name, f'b.{name}')} AS {name}" for name in READ_COLUMNS)
    trouble = """'The ' || f.trouble || ' cannot be taken out of older bars: a ratio, an amount in USD or a close that '
        || 'it needs is not in the lake. Fetch the sessions around it with `barlake ingest`, or ask for later sessions '
        || 'or for another adjustment.'"""
    return f"""
        SELECT {columns} FROM ({bars}) b LEFT JOIN ({days}) f ON f.day = b.session_date
        WHERE CASE WHEN isnan(f.divisor) THEN error({trouble}) ELSE true END"""


def _checked(query: str, *checks: tuple[str, str]) -> str:
    """SQL that fails with a sentence where a check does not hold, whatever the query reads.

    Args:
        query: With the columns of bars.
        checks: A condition and the SQL of a sentence.
    """
    cases = " ".join(
        f"WHEN NOT coalesce({holds}, false) THEN error({words})" for holds, words in checks
    )
    nothing = ", ".join(f"NULL AS {name}" for name in READ_COLUMNS)
    return f"""
        SELECT {", ".join(f"q.{name}" for name in READ_COLUMNS)} FROM ({query}) q
        UNION ALL
        SELECT {nothing} WHERE CASE {cases} ELSE false END"""


_PERIODS = (
    "whole minutes below a day, like ''15 minutes'' or ''1 hour'', or ''1 day'' or ''1 week''"
)
_A_PERIOD = (
    f"{_MINUTES} OR {_DAILY} OR {_WEEKLY}",
    f"'''' || coalesce(period::VARCHAR, 'NULL') || ''' is not a period of bars. Use {_PERIODS}.'",
)
_A_LONG_PERIOD = (
    f"{_DAILY} OR {_WEEKLY}",
    "'''' || coalesce(period::VARCHAR, 'NULL') || ''' is not a period of daily bars. Use ''1 day'' or ''1 week''.'",
)
_AN_ADJUSTMENT = (
    f"{_ADJUST} IN ({', '.join(map(repr, ADJUSTMENTS))})",
    f"'''' || coalesce(adjust::VARCHAR, 'NULL') || ''' is not an adjustment. Use one of {', '.join(ADJUSTMENTS)}.'",
)


def _a_date(name: str, read: str) -> tuple[str, str]:
    return (
        f"nullif({name}::VARCHAR, '') IS NULL OR {read} IS NOT NULL",
        f"'''' || coalesce({name}::VARCHAR, 'NULL') || ''' is not a date. Write {name} as ''2024-11-04'', a New York session.'",
    )


def _a_moment(name: str) -> tuple[str, str]:
    moment = "a New York date like ''2024-11-04'', or ''2024-11-04 15:00:00-05''"
    return (
        f"nullif({name}::VARCHAR, '') IS NULL OR {_moment(name)} IS NOT NULL",
        f"'''' || coalesce({name}::VARCHAR, 'NULL') || ''' is no moment. Write {moment}.'",
    )


_DATES = (_a_date("since", _SINCE), _a_date("until", _UNTIL))
_RANGE = "since := '', until := '', from_source := ''"


def _labelled(query: str) -> str:
    """Only bars whose own session is asked for: whole weeks were read."""
    return f"""SELECT k.* FROM ({query}) k WHERE ({_SINCE} IS NULL OR k.session_date >= {_SINCE})
        AND ({_UNTIL} IS NULL OR k.session_date <= {_UNTIL})"""


def _bars_at(dataset: Dataset) -> str:
    moment = _moment("as_of")
    bars = _adjusted(_raw(dataset, moment, weekly=_WEEKLY), dataset, _ADJUST, moment)
    itself = f"({_PERIOD} = INTERVAL 1 MINUTE)" if dataset is BARS_1M else _DAILY
    return _labelled(rolled(bars, width=_WIDTH, weekly=_WEEKLY, itself=itself))


MACROS: dict[str, Macro] = {
    "bars_at": Macro(
        f"ticker, period, adjust := 'raw', as_of := '', {_RANGE}, regular_only := false",
        _checked(_bars_at(BARS_1M), _A_PERIOD, _AN_ADJUSTMENT, _a_moment("as_of"), *_DATES),
        "bars of any period from the minutes, anchored at each session's open, regular and extended hours apart",
        "FROM bars_at('SPY', '15 minutes', adjust := 'split', since := '2024-11-04')",
    ),
    "bars_adjusted": Macro(
        f"ticker, adjust, as_of := '', {_RANGE}, regular_only := false",
        _checked(
            _adjusted(_raw(BARS_1M, _moment("as_of")), BARS_1M, _ADJUST, _moment("as_of")),
            _AN_ADJUSTMENT,
            _a_moment("as_of"),
            *_DATES,
        ),
        "1-minute bars in the shares and the money of the newest session: adjust is raw, split, dividend or all",
        "FROM bars_adjusted('SPY', 'all')",
    ),
    "bars_as_of": Macro(
        f"ticker, moment, adjust := 'raw', {_RANGE}, regular_only := false",
        _checked(
            _adjusted(_raw(BARS_1M, _moment("moment")), BARS_1M, _ADJUST, _moment("moment")),
            _a_moment("moment"),
            _AN_ADJUSTMENT,
            *_DATES,
        ),
        "1-minute bars as the lake knew them then: a time, or a New York date, which is its end",
        "FROM bars_as_of('SPY', '2024-11-30')",
    ),
    "daily_at": Macro(
        f"ticker, period := '1 day', adjust := 'raw', as_of := '', {_RANGE}",
        _checked(_bars_at(BARS_DAILY), _A_LONG_PERIOD, _AN_ADJUSTMENT, _a_moment("as_of"), *_DATES),
        "the provider's own daily bars, or weeks of them, raw or adjusted",
        "FROM daily_at('SPY', adjust := 'all')",
    ),
}
