"""What the macros of the lake promise SQL users: the bars that `Lake.bars` gives, by SQL alone."""

import json
import random
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import lake
from lake import Covered, Fetched, closes, factor_sql, sessions
from lake.actions import ACTION_SCHEMA, ADJUSTMENTS, Answered
from lake.macros import MACROS
from lake.schema import TABLES
from lake.views import VIEWS
from tests import market

IEX, SIP, BOX = "alpaca:iex", "alpaca:sip", "sandbox:iex"
#: The clocks go back between the first two; the Friday after Thanksgiving is a half day.
DAYS = (*(date(2024, 11, day) for day in (1, 4, 5, 27, 29)), date(2024, 12, 2))
FIRST, SECOND = datetime(2024, 12, 3, 9, tzinfo=UTC), datetime(2024, 12, 3, 10, tzinfo=UTC)
BETWEEN = datetime(2024, 12, 3, 9, 30, tzinfo=UTC)
PERIODS = {
    "1min": "1 minute",
    "5min": "5 minutes",
    "15min": "15min",
    "1h": "1 hour",
    "4h": "4h",
    "1d": "1 day",
    "1week": "1 week",
}


def _minutes(symbol: str, day: date, seed: int, *, price: float = 100.0) -> list[dict[str, object]]:
    """Some minutes of a day from 03:30 to 21:00 in New York: all parts of it, with holes."""
    roll = random.Random(f"{symbol} {day} {seed}")
    start = sessions.midnight(day) + timedelta(hours=3, minutes=30)
    rows = []
    for minute in sorted(roll.sample(range(17 * 60 + 30), 220)):
        low, first, last, high = sorted(price * roll.uniform(0.9, 1.1) for _ in range(4))
        known = roll.random() > 0.1
        rows.append(
            market.bar(
                start + timedelta(minutes=minute),
                symbol=symbol,
                open=first,
                high=high,
                low=low,
                close=last,
                volume=float(roll.choice([0, 100, 250.5, 7000])),
                trade_count=roll.randint(0, 90) if known else None,
                vwap=roll.uniform(low, high) if known else None,
            )
        )
    return rows


def _answer(source: str, rows: list[dict[str, object]], *symbols: str) -> Fetched:
    whole = tuple(
        Covered(symbol, sessions.midnight(day), sessions.midnight(day + timedelta(days=1)))
        for symbol in symbols
        for day in DAYS
    )
    return market.fetched(*rows, covered=whole, source=source)


def _action(number: int, kind: str, ex_date: date, **values: object) -> dict[str, object]:
    usual = {"ratio": None, "amount": None, "details": "{}", "process_date": ex_date}
    return {
        "action_id": str(number),
        "symbol": "SPY",
        "kind": kind,
        "ex_date": ex_date,
        **usual,
        **values,
    }


SPLIT = _action(1, "forward_split", date(2024, 11, 4), ratio=4.0)
DIVIDEND = _action(2, "cash_dividend", date(2024, 11, 29), amount=1.5)
SPECIAL = _action(3, "cash_dividend", date(2024, 12, 2), amount=2.5)
SPIN_OFF = _action(
    4,
    "spin_off",
    date(2024, 12, 2),
    details='{"new_symbol": "SPN", "new_rate": 1, "source_rate": "3"}',
)
STOCK = _action(5, "stock_dividend", date(2024, 12, 2), details='{"rate": 0.05}')
AHEAD = _action(6, "forward_split", date(2024, 12, 20), ratio=2.0)


def _told(*actions: dict[str, object]) -> Answered:
    frame = pl.DataFrame(list(actions), schema=ACTION_SCHEMA)
    return Answered(IEX, frame, ("SPY",), date(2024, 1, 1), date(2025, 1, 1))


def _daily(symbol: str, day: date, price: float) -> dict[str, object]:
    return market.bar(sessions.midnight(day), price, symbol=symbol, vwap=price + 0.5)


@pytest.fixture(scope="module")
def told(empty_home, tmp_path_factory):
    """A lake with two feeds and a sandbox, corrected bars, withdrawn ones, and actions that changed."""
    home = tmp_path_factory.mktemp("macros") / "home"
    shutil.copytree(empty_home, home)
    clock = [FIRST]
    with lake.open(home, now=lambda: clock[0]) as opened:
        first = [row for day in DAYS for row in _minutes("SPY", day, 1)]
        again = [row for day in DAYS for row in _minutes("SPY", day, 1 if day < DAYS[3] else 2)]
        parted = _minutes("SPN", DAYS[-1], 3, price=30.0)
        opened.commit_bars(_answer(IEX, first + parted, "SPY", "SPN"))
        opened.commit_bars(
            _answer(BOX, [row for day in DAYS for row in _minutes("SPY", day, 4)], "SPY")
        )
        opened.commit_bars(
            _answer(SIP, [row for day in DAYS[1:4] for row in _minutes("SPY", day, 5)], "SPY")
        )
        opened.commit_bars(
            _answer(IEX, [_daily("SPY", day, 100.0) for day in DAYS]), dataset="bars_daily"
        )
        opened.commit_actions(
            _told({**SPLIT, "ratio": 3.0}, DIVIDEND, {**DIVIDEND, "action_id": "9"}, AHEAD)
        )
        clock[0] = SECOND
        opened.commit_bars(_answer(IEX, again + parted, "SPY", "SPN"))
        opened.commit_bars(_answer(IEX, [_daily("SPY", DAYS[3], 98.0)]), dataset="bars_daily")
        opened.commit_actions(_told(SPLIT, DIVIDEND, SPECIAL, SPIN_OFF, STOCK, AHEAD))
        opened.prefer_source(IEX)
        yield opened


def ask(opened, query):
    with opened.reading() as connection:
        return connection.execute(f"SELECT * FROM ({query}) ORDER BY symbol, timestamp").pl()


def same(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert_frame_equal(found, expected, check_exact=False, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize(
    ("timeframe", "period", "adjust"),
    [
        *((*period, adjust) for period in PERIODS.items() for adjust in ("raw", "all")),
        *(("1week", "1 week", adjust) for adjust in ("split", "dividend")),
    ],
)
def test_bars_of_a_period_are_those_of_the_python_api(told, timeframe, period, adjust):
    expected = told.bars("SPY", timeframe=timeframe, adjust=adjust)

    same(ask(told, f"FROM bars_at('SPY', '{period}', adjust := '{adjust}')"), expected)


@pytest.mark.parametrize("adjust", ADJUSTMENTS)
def test_what_was_known_then_is_what_python_says(told, adjust):
    before = ask(told, f"FROM bars_as_of('SPY', '{BETWEEN}', adjust := '{adjust}')")

    same(before, told.bars("SPY", as_of=BETWEEN, adjust=adjust))
    assert not before.equals(told.bars("SPY", adjust=adjust))
    same(
        ask(
            told,
            f"FROM bars_at('SPY', '1h', as_of := TIMESTAMPTZ '{BETWEEN}', adjust := '{adjust}')",
        ),
        told.bars("SPY", timeframe="1h", as_of=BETWEEN, adjust=adjust),
    )
    for day in ("2024-12-02", "2024-12-03"):
        same(ask(told, f"FROM bars_as_of('SPY', DATE '{day}')"), told.bars("SPY", as_of=day))


@pytest.mark.parametrize("adjust", ADJUSTMENTS)
def test_adjusted_minutes_are_those_of_the_python_api(told, adjust):
    same(ask(told, f"FROM bars_adjusted('spy', '{adjust}')"), told.bars("SPY", adjust=adjust))


@pytest.mark.parametrize("adjust", ADJUSTMENTS)
def test_daily_bars_are_those_of_the_python_api(told, adjust):
    for period, timeframe in (("1 day", "1d"), ("1 week", "1week")):
        expected = told.bars("SPY", dataset="bars_daily", timeframe=timeframe, adjust=adjust)
        same(ask(told, f"FROM daily_at('SPY', '{period}', adjust := '{adjust}')"), expected)
    then = told.bars("SPY", dataset="bars_daily", as_of=BETWEEN, adjust=adjust)
    same(ask(told, f"FROM daily_at('SPY', adjust := '{adjust}', as_of := '{BETWEEN}')"), then)
    assert then.height == len(DAYS)


def test_a_part_of_the_history_is_whole_sessions_and_whole_weeks(told):
    for timeframe, period in PERIODS.items():
        expected = told.bars("SPY", "2024-11-05", "2024-11-27", timeframe=timeframe)
        part = "since := '2024-11-05', until := DATE '2024-11-27'"
        same(ask(told, f"FROM bars_at('SPY', '{period}', {part})"), expected)
    later = told.bars("SPY", "2024-11-27", adjust="all", regular_only=True)
    named = "since := '2024-11-27', regular_only := true"
    same(ask(told, f"FROM bars_adjusted('SPY', 'all', {named})"), later)


@pytest.mark.parametrize("source", [IEX, SIP, BOX])
def test_a_source_is_named_or_the_shown_one(told, source):
    expected = told.bars("SPY", timeframe="1h", source=source, adjust="split")

    found = ask(told, f"FROM bars_at('SPY', '1h', from_source := '{source}', adjust := 'split')")

    same(found, expected)
    assert set(found["source"]) == {source}
    assert set(ask(told, "FROM bars_at('SPY', '1 day')")["source"]) == {IEX}


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_the_zone_a_user_has_set_changes_nothing(told, zone):
    query = f"""SELECT * REPLACE (epoch_us(timestamp) AS timestamp) FROM bars_at('SPY', '4 hours',
        since := '2024-11-04', adjust := 'all', as_of := TIMESTAMPTZ '{BETWEEN}') ORDER BY timestamp"""
    with told.reading() as connection:
        expected = connection.execute(query).pl()
        connection.execute(f"SET TimeZone = '{zone}'")
        found = connection.execute(query).pl()

    assert_frame_equal(found, expected)
    assert found.height > 0


def test_days_without_a_session_are_bars_too(store):
    saturday = datetime(2024, 11, 2, 13, 7, tzinfo=UTC)
    rows = [
        market.bar(saturday + timedelta(minutes=minute), volume=minute + 1.0)
        for minute in range(400)
    ]
    store.commit_bars(market.fetched(*rows))
    with store.reading() as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        found = connection.execute("FROM bars_at('SPY', '4h') ORDER BY timestamp").pl()

    expected = store.bars("SPY", timeframe="4h")
    same(found.with_columns(pl.col("timestamp").dt.convert_time_zone("UTC")), expected)


def test_any_whole_minutes_below_a_day_are_a_period(told):
    for minutes in (7, 45, 90, 390, 1439):
        bars = ask(told, f"FROM bars_at('SPY', INTERVAL {minutes} MINUTE, regular_only := true)")
        day = bars.filter(session_date=DAYS[1])
        opening = sessions.schedule(DAYS[1], DAYS[1])["open"][0]
        offsets = [(at - opening) // timedelta(minutes=1) for at in day["timestamp"]]
        assert all(offset % minutes == 0 and 0 <= offset < 390 for offset in offsets)
        assert (
            day["volume"].sum()
            == told.bars("SPY", DAYS[1], DAYS[1], regular_only=True)["volume"].sum()
        )


def test_a_symbol_that_is_not_there_has_no_rows(told):
    assert ask(told, "FROM bars_at('NOPE', '1 hour', adjust := 'all')").is_empty()
    assert ask(told, "FROM bars_as_of('SPY', '1999-12-31')").is_empty()


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("FROM bars_at('SPY', 'soon')", "'soon' is not a period of bars. Use whole minutes"),
        ("FROM bars_at('SPY', '1 month')", "'1 month' is not a period of bars"),
        ("FROM bars_at('SPY', '30 seconds')", "'30 seconds' is not a period of bars"),
        ("FROM bars_at('SPY', '24 hours')", "'24 hours' is not a period of bars"),
        ("FROM bars_at('SPY', '-5 minutes')", "'-5 minutes' is not a period of bars"),
        ("SELECT count(*) FROM bars_at('NOPE', '2 days')", "'2 days' is not a period of bars"),
        ("FROM daily_at('SPY', '1 hour')", "'1 hour' is not a period of daily bars. Use '1 day' or '1 week'."),
        ("FROM bars_at('SPY', '1h', adjust := 'sometimes')", "'sometimes' is not an adjustment. Use one of raw, split"),
        ("FROM bars_adjusted('SPY', NULL)", "is not an adjustment"),
        ("FROM bars_as_of('SPY', 'yesterday')", "'yesterday' is no moment. Write a New York date like"),
        ("FROM bars_at('SPY', '1h', since := 'May')", "'May' is not a date. Write since as '2024-11-04'"),
        ("FROM daily_at('SPY', until := '04.11.2024')", "'04.11.2024' is not a date. Write until"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_a_sentence(told, query, sentence):
    with pytest.raises(lake.InvalidError) as refused:
        told.sql(query)

    assert sentence in str(refused.value)


def test_no_price_is_better_than_a_wrong_one(store):
    monday, tuesday = market.OPEN, market.OPEN + timedelta(days=1)
    store.commit_bars(market.fetched(market.bar(monday), market.bar(tuesday)))
    foreign = {**DIVIDEND, "ex_date": tuesday.date(), "details": '{"currency": "CAD"}'}
    store.commit_actions(replace(_told(foreign), source=market.SOURCE))

    with pytest.raises(
        lake.InvalidError, match="cash dividend of SPY on 2024-11-05 cannot be taken"
    ):
        store.sql("FROM bars_at('SPY', '1h', adjust := 'dividend')")
    with pytest.raises(lake.MissingError):
        store.bars("SPY", adjust="dividend")
    later = store.sql("FROM bars_adjusted('SPY', 'dividend', since := '2024-11-05')")
    assert later["close"].to_list() == [100.0]


@pytest.mark.parametrize("fetched_whole", [True, False])
def test_a_close_holds_over_a_session_in_which_nobody_traded(store, fetched_whole):
    monday, wednesday = market.OPEN, market.OPEN + timedelta(days=2)
    quiet = (market.session_covered(date(2024, 11, 5)),) if fetched_whole else ()
    store.commit_bars(market.fetched(market.bar(monday), market.bar(wednesday), covered=quiet))
    paid = {**DIVIDEND, "ex_date": wednesday.date(), "amount": 10.0}
    store.commit_actions(replace(_told(paid), source=market.SOURCE))
    query = "SELECT close FROM bars_adjusted('SPY', 'dividend') ORDER BY timestamp"

    if fetched_whole:
        assert store.sql(query)["close"].to_list() == pytest.approx([90.0, 100.0])
        assert store.bars("SPY", adjust="dividend")["close"].to_list() == pytest.approx(
            [90.0, 100.0]
        )
    else:
        with pytest.raises(lake.InvalidError, match="cash dividend of SPY on 2024-11-06"):
            store.sql(query)


def test_an_old_close_is_as_old_in_sql_as_in_python():
    assert factor_sql.OLDEST_DAYS == closes.OLDEST_DAYS


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(bars=market.bars(most=25), data=st.data())
def test_any_bars_give_the_same_in_sql_and_in_python(store, bars, data):
    symbol = f"H{data.draw(st.integers(0, 10**9), label='symbol')}"
    timeframe = data.draw(st.sampled_from(list(PERIODS)), label="timeframe")
    adjust = data.draw(st.sampled_from(ADJUSTMENTS), label="adjust")
    store.commit_bars(Fetched(IEX, bars.with_columns(symbol=pl.lit(symbol))))
    splits = [{**_action(int(symbol[1:]), "split", date(2024, 11, 4), ratio=3.0), "symbol": symbol}]
    store.commit_actions(_told(*splits))

    expected = store.bars(symbol, timeframe=timeframe, adjust=adjust)

    same(
        ask(store, f"FROM bars_at('{symbol}', '{PERIODS[timeframe]}', adjust := '{adjust}')"),
        expected,
    )


def scans(opened, query: str) -> dict[str, list[str]]:
    """The tables a query reads, each with the files it opens and the filters it hands to them."""
    found: dict[str, list[str]] = {}

    def look(node: dict) -> None:
        facts = node.get("extra_info", {})
        if "Table" in facts:
            told = [facts.get("Filename(s)", ""), str(facts.get("Filters", ""))]
            found.setdefault(facts["Table"], []).extend(told)
        for child in node.get("children", []):
            look(child)

    with opened.reading() as connection:
        ((_, plan),) = connection.execute(f"EXPLAIN (ANALYZE, FORMAT json) {query}").fetchall()
    look(json.loads(plan))
    return found


def test_a_query_opens_the_files_of_its_symbol_its_source_and_its_years_alone(told):
    part = "since := '2024-11-04', until := '2024-11-08'"
    read = scans(told, f"FROM bars_at('spy', '1 hour', from_source := '{SIP}', {part})")
    outside = scans(told, "FROM bars_at('SPY', '1 hour', until := '2023-12-31')")

    files, filters = read["bars_1m"]
    assert files.count(".parquet") == 1
    assert "symbol=SPY/year=2024" in files
    assert "sip" in files
    assert "symbol='SPY'" in filters
    assert f"source='{SIP}'" in filters
    assert "timestamp>='2024-11-04 05:00:00+00'" in filters
    assert not {"bar_revisions", "corporate_actions", "coverage", "bars_daily"} & set(read)
    assert not any(".parquet" in text for text in outside.get("bars_1m", []))
    assert "bar_revisions" in scans(told, f"FROM bars_as_of('SPY', '{BETWEEN}')")


def test_views_of_longer_bars_are_those_of_the_macro(told):
    for view, period in (("bars_5m", "5 minutes"), ("bars_1h", "1 hour"), ("bars_1d", "1 day")):
        macro = ask(told, f"FROM bars_at('SPY', '{period}')")
        same(ask(told, f"FROM {view} WHERE symbol = 'SPY'"), macro)
    same(ask(told, "FROM daily WHERE symbol = 'SPY'"), told.bars("SPY", dataset="bars_daily"))


def test_everything_users_see_has_a_comment(told):
    names = {
        row["name"]: row["comment"]
        for row in told.sql(
            """SELECT table_name AS name, comment FROM duckdb_tables() WHERE database_name = 'lake'
               UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE database_name = 'lake' AND NOT internal
               UNION ALL SELECT name, comment FROM macros"""
        ).iter_rows(named=True)
    }
    columns = told.sql(
        "SELECT comment FROM duckdb_columns() WHERE table_name IN ('bars_1m', 'bars_live', 'bars_daily')"
    )

    assert {*MACROS, *VIEWS, *TABLES} <= set(names)
    assert all(names.values())
    assert columns.height == 3 * 12
    assert columns["comment"].null_count() == 0


def test_macros_are_what_the_catalog_says(told):
    held = told.sql(
        "SELECT function_name AS name, parameters FROM duckdb_functions() WHERE database_name = 'lake'"
    )

    assert dict(held.iter_rows()) == {
        name: [part.split(":=")[0].strip() for part in macro.parameters.split(",")]
        for name, macro in MACROS.items()
    }
    for macro in MACROS.values():
        assert told.sql(macro.example).columns == list(lake.READ_COLUMNS)
