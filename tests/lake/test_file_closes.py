"""What reading closes from files promises: what DuckLake's own scan says, only sooner."""

import time
from datetime import UTC, date, datetime, timedelta

import polars as pl
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

import lake
from lake.actions import ACTION_SCHEMA, Answered, known_actions
from lake.catalog import Catalog
from lake.planning import Planner
from lake.sessions import midnight, schedule
from tests.market import bar, frame

KINDS = ("cash_dividend", "spin_off", "forward_split", "stock_dividend")
FIRST = date(2024, 10, 25)
quick = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


OPENS = schedule(FIRST, date(2024, 11, 10))["open"].to_list()


@st.composite
def minutes(draw, symbol: str = "SPY") -> pl.DataFrame:
    """Bars in and beside the regular hours of some sessions."""
    picks = st.tuples(st.sampled_from(OPENS), st.integers(-30, 420))
    drawn = draw(st.lists(picks, min_size=8, max_size=40, unique=True))
    prices = draw(st.lists(st.floats(1, 99), min_size=len(drawn), max_size=len(drawn)))
    return frame(
        *(
            bar(opening + timedelta(minutes=minute), price, symbol=symbol)
            for (opening, minute), price in zip(drawn, prices, strict=True)
        )
    )


@st.composite
def actions(draw) -> pl.DataFrame:
    """Actions around the days of ``bars``: before, between and after them."""
    days = draw(st.lists(st.integers(0, 14), min_size=3, max_size=8))
    rows = []
    for number, day in enumerate(days):
        ex = FIRST + timedelta(days=day)
        kind = draw(st.sampled_from(KINDS))
        rate = "" if kind in {"cash_dividend", "forward_split"} else '"rate": 0.5, '
        rows.append({
            "action_id": f"{number}", "symbol": draw(st.sampled_from(["SPY", "QQQ"])), "kind": kind,
            "ex_date": ex, "process_date": ex, "ratio": 2.0 if kind == "forward_split" else None,
            "amount": 0.5 if kind == "cash_dividend" else None,
            "details": f'{{{rate}"new_symbol": "QQQ"}}',
        })  # fmt: skip
    return pl.DataFrame(rows, schema=ACTION_SCHEMA)


def days_of(source: str, minutes: pl.DataFrame) -> lake.Fetched:
    """The provider's own bars of every other day of some minutes."""
    days = minutes.select(pl.col("timestamp").dt.date().unique().sort()).to_series()[::2]
    return lake.Fetched(source, frame(*(bar(midnight(day), 7.0) for day in days)))


@given(
    first=minutes(), second=minutes(), other=minutes("QQQ"), told=actions(), covered=st.booleans(),
    daily=st.booleans(), live=st.booleans(),
)  # fmt: skip
@quick
def test_closes_from_files_are_those_of_ducklakes_scan(
    store, first, second, other, told, covered, daily, live
):
    source = f"fake{time.monotonic_ns()}:iex"
    whole = [
        lake.Covered(symbol, midnight(FIRST), midnight(date(2024, 11, 12)))
        for symbol in ("SPY", "QQQ")
        if covered
    ]
    store.commit_bars(lake.Fetched(source, first, tuple(whole[:1])))
    store.commit_actions(Answered(source, told, ("SPY", "QQQ"), FIRST, FIRST + timedelta(days=30)))
    moments = [None, datetime.now(UTC)]
    if daily:
        store.commit_bars(days_of(source, second), dataset="bars_daily")
    store.commit_bars(lake.Fetched(source, second, tuple(whole)))
    store.commit_bars(lake.Fetched(source, other))
    if live:
        with store.writing() as transaction:
            transaction.connection.execute(
                """INSERT INTO bars_live SELECT * REPLACE (timestamp + INTERVAL 30 SECOND AS timestamp, 3.5 AS close)
                   FROM bars_1m WHERE source = ? LIMIT 3""",
                [source],
            )
    moments.append(datetime.now(UTC))

    files = Planner(Catalog(store.place, lambda: datetime.now(UTC)), store.place)
    for as_of in moments:
        with store.reading() as connection:
            said, read = (
                known_actions(connection, source, ["QQQ", "SPY"], as_of=as_of, files=one)
                for one in (None, files)
            )
        assert read.equals(said)
        event(f"{said.height} actions, {said['prior_close'].count()} closes")
