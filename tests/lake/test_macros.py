"""What the macros of the lake promise SQL users: the bars that `Lake.bars` gives, by SQL alone."""

import random
import shutil
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import lake
from lake import Covered, Fetched, sessions
from lake.actions import ACTION_SCHEMA, ADJUSTMENTS, Answered
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


@pytest.mark.parametrize(("timeframe", "period"), PERIODS.items())
@pytest.mark.parametrize("adjust", ADJUSTMENTS)
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
