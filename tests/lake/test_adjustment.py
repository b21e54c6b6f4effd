"""What adjusted prices and volumes promise: the newest stay raw, older ones are in their shares and money."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lake.adjustment import (
    ADJUSTMENTS,
    PRICES,
    AdjustmentError,
    FactorMissingError,
    adjusted,
    check_adjustment,
    factors,
)

DATA = Path(__file__).parents[3] / "shared" / "data"
ACTIONS = pl.Schema(
    {
        "symbol": pl.String,
        "ex_date": pl.Date,
        "kind": pl.String,
        "ratio": pl.Float64,
        "amount": pl.Float64,
        "prior_close": pl.Float64,
        "ex_close": pl.Float64,
    }
)
FIRST = date(2024, 1, 1)


def action(day, kind="cash_dividend", symbol="SPY", **values):
    return {"symbol": symbol, "ex_date": date.fromisoformat(str(day)), "kind": kind, **values}


def actions(*rows):
    return pl.DataFrame(list(rows), schema=ACTIONS)


def closes(symbol, days, volume=100.0):
    rows = [(symbol, date.fromisoformat(day), close, volume) for day, close in days.items()]
    return pl.DataFrame(rows, schema=["symbol", "session_date", "close", "volume"], orient="row")


# Worked examples from outside ------------------------------------------------------------------


def test_microsoft_in_2003_a_split_then_a_dividend_as_yahoo_works_it():
    # Yahoo Finance help, "What is the adjusted close?" (CRSP's way): Microsoft, 2:1 on 2003-02-18,
    # USD 0.08 with ex date 2003-02-19. Results are printed with 2 decimals.
    raw = closes(
        "MSFT",
        {"2003-02-13": 46.99, "2003-02-14": 48.30, "2003-02-18": 24.96, "2003-02-19": 24.53},
    )
    known = actions(
        action("2003-02-18", "forward_split", "MSFT", ratio=2.0),
        action("2003-02-19", symbol="MSFT", amount=0.08, prior_close=24.96),
    )

    assert adjusted(raw, known, "all")["close"].round(2).to_list() == [23.42, 24.07, 24.88, 24.53]
    assert adjusted(raw, known, "all")["volume"].to_list() == [200.0, 200.0, 100.0, 100.0]
    assert adjusted(raw, known, "split")["close"].to_list() == [23.495, 24.15, 24.96, 24.53]
    assert adjusted(raw, known, "dividend")["volume"].to_list() == [100.0] * 4


def test_apple_in_2014_and_2020_two_splits_multiply():
    # 7:1 on 2014-06-09 after a close of 645.57, which is 92.22 in the new shares; 4:1 on 2020-08-31:
    # "Given Friday's close was $499.23, the split-adjusted close is now $124.81" (MarketWatch that day).
    raw = closes(
        "AAPL",
        {"2014-06-06": 645.57, "2014-06-09": 93.70, "2020-08-28": 499.23, "2020-08-31": 129.04},
    )
    known = actions(
        action("2014-06-09", "forward_split", "AAPL", ratio=7.0),
        action("2020-08-31", "forward_split", "AAPL", ratio=4.0),
    )

    in_2014 = adjusted(raw.head(2), known.head(1), "split")
    now = adjusted(raw, known, "split")

    assert in_2014["close"].round(2).to_list() == [92.22, 93.70]
    assert now["close"].round(2).to_list() == [23.06, 23.42, 124.81, 129.04]
    assert now["volume"].to_list() == [2800.0, 400.0, 400.0, 100.0]


@pytest.mark.parametrize(
    ("amount", "close", "factor"),
    [(0.08, 24.96, 0.9968), (2.40, 16.51, 0.8546), (1.25, 51.20, 0.9756)],
)
def test_a_cash_dividend_takes_its_part_of_the_close_before_off(amount, close, factor):
    # The three multipliers of the same help page.
    known = actions(action("2024-05-03", amount=amount, prior_close=close))
    raw = closes("SPY", {"2024-05-02": 1.0, "2024-05-03": 1.0})

    assert adjusted(raw, known, "all")["close"].round(4).to_list() == [factor, 1.0]


def test_citigroup_in_2011_a_reverse_split_raises_prices_and_shrinks_volume():
    # 1-for-10 on 2011-05-09 after a close of 4.52: "fell 1.8 percent to $44.39" (Reuters that morning);
    # before, its average volume "was nearly 425 million shares".
    raw = closes("C", {"2011-05-06": 4.52, "2011-05-09": 44.39}, volume=425e6)
    known = actions(action("2011-05-09", "reverse_split", "C", ratio=0.1))

    seen = adjusted(raw, known, "split")

    assert seen["close"].round(2).to_list() == [45.20, 44.39]
    assert round(seen["close"][1] / seen["close"][0] - 1, 3) == -0.018
    assert seen["volume"].round(0).to_list() == [42.5e6, 425e6]


def test_ebay_in_2015_a_spin_off_leaves_the_parents_part_of_the_price_and_all_of_the_volume():
    # One PayPal a share on 2015-07-20 (Nasdaq ETA2015-105). Without the other, eBay was priced at
    # 27.90 and PayPal at 38.39, together the 66.29 at which eBay had closed: eBay keeps 0.420878
    # (crossingwallstreet.com, 2015-07-19); split histories list the day as 2376 for 1000.
    raw = closes("EBAY", {"2015-07-17": 66.29, "2015-07-20": 28.57})
    known = actions(action("2015-07-20", "spin_off", "EBAY", amount=38.39, ex_close=27.90))

    seen = adjusted(raw, known, "all")

    assert seen["close"].round(2).to_list() == [27.90, 28.57]
    assert seen["close"][0] / 66.29 == pytest.approx(0.420878, abs=1e-6)
    assert factors(known, "all")["divisor"].item() == pytest.approx(2.376, abs=1e-3)
    assert seen["volume"].to_list() == [100.0, 100.0]
    for kind in ("split", "dividend"):  # as at Alpaca, where spin-off is an adjustment of its own
        assert adjusted(raw, known, kind)["close"].to_list() == [66.29, 28.57]


def test_a_split_and_a_dividend_on_one_day_the_dividend_is_per_old_share():
    # CRSP's total return is (price * factor + dividend) / price before - 1: the amount is paid on
    # each share held before. 100.00 before, 2:1 and USD 1.00: 99.00 of the 100.00 stays, in 2 shares.
    raw = closes("SPY", {"2024-05-02": 100.0, "2024-05-03": 49.5})
    known = [
        action("2024-05-03", "forward_split", ratio=2.0),
        action("2024-05-03", amount=1.0, prior_close=100.0),
    ]

    for order in (known, known[::-1]):
        seen = adjusted(raw, actions(*order), "all")
        assert seen["close"].to_list() == pytest.approx([49.5, 49.5])
        assert seen["volume"].to_list() == [200.0, 100.0]


def test_two_dividends_of_one_day_are_one_of_their_sum():
    raw = closes("SPY", {"2024-05-02": 100.0, "2024-05-03": 70.0})
    known = actions(
        *(action("2024-05-03", amount=amount, prior_close=100.0) for amount in (10.0, 20.0))
    )

    assert adjusted(raw, known, "all")["close"].to_list() == pytest.approx([70.0, 70.0])


def test_a_stock_dividend_is_a_split():
    raw = closes("SPY", {"2024-05-02": 105.0, "2024-05-03": 100.0})
    known = actions(action("2024-05-03", "stock_dividend", ratio=1.05))

    assert adjusted(raw, known, "split")["close"].to_list() == pytest.approx([100.0, 100.0])


# Refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        (
            action("2024-05-03", amount=1.0),
            "barlake ingest SPY --start 2024-04-26 --end 2024-05-03",
        ),
        (action("2024-05-03", prior_close=9.0), "cash dividend of SPY on 2024-05-03"),
        (action("2024-05-03", amount=9.0, prior_close=9.0), "a smaller amount"),
        (action("2024-05-03", amount=-1.0, prior_close=9.0), "cash dividend of SPY"),
        (
            action("2024-05-03", "spin_off", amount=1.0),
            "spin off of SPY on 2024-05-03 has no value",
        ),
        (action("2024-05-03", "spin_off", ex_close=9.0), "adjust='split'"),
        (action("2024-05-03", "forward_split"), "no ratio above 0"),
        (action("2024-05-03", "reverse_split", ratio=0.0), "Ask for raw prices"),
    ],
)
def test_no_price_is_better_than_a_wrong_one(wrong, advice):
    newer = action("2024-05-06", amount=1.0, prior_close=100.0)
    raw = closes("SPY", {"2024-05-02": 9.0, "2024-05-03": 8.0, "2024-05-06": 7.0})

    with pytest.raises(FactorMissingError, match=advice):
        adjusted(raw, actions(wrong, newer), "all")
    # Sessions from its ex date on do not need it.
    assert adjusted(raw.tail(2), actions(wrong, newer), "all")["close"].to_list() == pytest.approx(
        [7.92, 7.0]
    )
    assert adjusted(raw, actions(wrong, newer), "raw") is raw


def test_an_action_without_worth_asks_for_nothing():
    raw = closes("SPY", {"2024-05-02": 9.0, "2024-05-03": 8.0})

    assert_frame_equal(adjusted(raw, actions(action("2024-05-03", amount=0.0)), "all"), raw)


def test_kinds_that_end_or_rename_a_series_change_no_price():
    raw = closes("SPY", {"2024-05-02": 9.0, "2024-05-03": 8.0})
    for kind in ("name_change", "stock_merger", "unit_split", "redemption", "worthless_removal"):
        assert_frame_equal(adjusted(raw, actions(action("2024-05-03", kind)), "all"), raw)


def test_an_adjustment_that_does_not_exist_is_answered_with_those_that_do():
    with pytest.raises(AdjustmentError, match="Use one of raw, split, dividend, all"):
        adjusted(closes("SPY", {"2024-05-02": 9.0}), actions(), "everything")
    assert [check_adjustment(one) for one in ADJUSTMENTS] == ["raw", "split", "dividend", "all"]


# Laws ------------------------------------------------------------------------------------------

day = st.integers(0, 40).map(lambda days: FIRST + timedelta(days=days))
name = st.sampled_from(["SPY", "QQQ", "IBM"])
price = st.none() | st.floats(0.01, 1e5)


@st.composite
def many_bars(draw):
    rows = draw(
        st.lists(st.tuples(name, day, *[price] * 5, st.none() | st.floats(0, 1e9)), max_size=40)
    )
    schema = {
        "symbol": pl.String,
        "session_date": pl.Date,
        **dict.fromkeys((*PRICES, "volume"), pl.Float64),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


@st.composite
def many_actions(draw, kinds=("forward_split", "cash_dividend", "spin_off")):
    rows = []
    paid = set()
    for _ in range(draw(st.integers(0, 12))):
        symbol, ex_date, kind = draw(name), draw(day), draw(st.sampled_from(kinds))
        if kind != "forward_split" and (symbol, ex_date, kind) in paid:
            continue  # sums are an example above
        paid.add((symbol, ex_date, kind))
        values = {
            "forward_split": {"ratio": draw(st.sampled_from([2.0, 7.0, 1.5, 0.1, 1.05]))},
            "cash_dividend": {
                "amount": draw(st.floats(0, 9)),
                "prior_close": draw(st.floats(10, 500)),
            },
            "spin_off": {"amount": draw(st.floats(0, 9)), "ex_close": draw(st.floats(1, 500))},
        }
        rows.append(action(ex_date, kind, symbol, **values[kind]))
    return actions(*rows)


def walked(bars, known, adjust):
    """Bar by bar and action by action, as one would with a pencil."""
    rows = []
    for bar in bars.iter_rows(named=True):
        money = shares = 1.0
        for one in known.iter_rows(named=True):
            if one["symbol"] != bar["symbol"] or one["ex_date"] <= bar["session_date"]:
                continue
            if one["kind"] == "forward_split" and adjust in {"split", "all"}:
                money, shares = money / one["ratio"], shares * one["ratio"]
            elif one["kind"] == "cash_dividend" and adjust in {"dividend", "all"}:
                money *= 1 - one["amount"] / one["prior_close"]
            elif one["kind"] == "spin_off" and adjust == "all":
                money *= one["ex_close"] / (one["ex_close"] + one["amount"])
        scaled = {key: bar[key] if bar[key] is None else bar[key] * money for key in PRICES}
        volume = bar["volume"] if bar["volume"] is None else bar["volume"] * shares
        rows.append({**bar, **scaled, "volume": volume})
    return pl.DataFrame(rows, schema=bars.schema)


@given(bars=many_bars(), known=many_actions(), adjust=st.sampled_from(ADJUSTMENTS))
def test_it_is_what_a_walk_with_a_pencil_gives(bars, known, adjust):
    assert_frame_equal(adjusted(bars, known, adjust), walked(bars, known, adjust), rel_tol=1e-12)


@given(bars=many_bars(), known=many_actions())
def test_raw_is_raw(bars, known):
    assert_frame_equal(adjusted(bars, known, "raw"), bars, check_exact=True)


@given(bars=many_bars(), known=many_actions(), adjust=st.sampled_from(ADJUSTMENTS))
def test_bars_from_the_last_ex_date_on_stay_raw_to_the_bit(bars, known, adjust):
    last = known.group_by("symbol").agg(last=pl.col("ex_date").max())
    newest = bars.with_row_index().join(last, on="symbol", how="left", maintain_order="left")
    rows = newest.filter((pl.col("session_date") >= pl.col("last")).fill_null(value=True))["index"]

    assert_frame_equal(adjusted(bars, known, adjust)[rows], bars[rows], check_exact=True)


@given(bars=many_bars(), known=many_actions())
def test_all_without_spin_offs_is_dividend_after_split(bars, known):
    plain = known.filter(pl.col("kind") != "spin_off")
    composed = adjusted(adjusted(bars, plain, "split"), plain, "dividend")

    assert_frame_equal(adjusted(bars, plain, "all"), composed, rel_tol=1e-12)


@given(bars=many_bars(), known=many_actions(kinds=("forward_split",)))
def test_splits_keep_the_money_that_changed_hands(bars, known):
    assume(bars.height > 0)
    seen = adjusted(bars, known, "split")

    before, after = ((frame["close"] * frame["volume"]).fill_null(0) for frame in (bars, seen))
    assert after.to_list() == pytest.approx(before.to_list(), rel=1e-12)


@given(
    bars=many_bars(),
    known=many_actions(),
    adjust=st.sampled_from(ADJUSTMENTS),
    seed=st.integers(0, 9),
)
def test_neither_the_order_of_bars_nor_of_actions_matters(bars, known, adjust, seed):
    mixed = bars.with_row_index().sample(fraction=1, shuffle=True, seed=seed)
    other = adjusted(mixed, known.sample(fraction=1, shuffle=True, seed=seed), adjust)

    assert_frame_equal(
        other.sort("index").drop("index"), adjusted(bars, known, adjust), rel_tol=1e-12
    )


@given(ratio=st.floats(0.01, 20), close=st.floats(1, 1000))
def test_the_return_over_a_pure_split_is_nothing(ratio, close):
    raw = closes("SPY", {"2024-05-02": close, "2024-05-03": close / ratio})
    known = actions(action("2024-05-03", "split", ratio=ratio))

    before, after = adjusted(raw, known, "split")["close"]
    assert after / before == pytest.approx(1.0)


@given(bars=many_bars(), known=many_actions(), adjust=st.sampled_from(ADJUSTMENTS))
def test_columns_that_are_not_asked_for_are_not_needed(bars, known, adjust):
    some = bars.select("symbol", "close", "session_date")

    assert_frame_equal(
        adjusted(some, known, adjust), adjusted(bars, known, adjust).select(some.columns)
    )


# Real bars, real actions -----------------------------------------------------------------------

real = pytest.mark.skipif(not DATA.is_dir(), reason="the real market data is not on this machine")


def real_bars(symbol):
    return pl.read_parquet(DATA / "bars_1day" / f"{symbol}.parquet").sort("session_date")


def real_actions(symbol, bars):
    """Those within the bars, each dividend with the close before."""
    told = pl.read_parquet(DATA / "corporate_actions.parquet").filter(pl.col("symbol") == symbol)
    first, last = bars["session_date"].min(), bars["session_date"].max()
    told = told.filter((pl.col("ex_date") > first) & (pl.col("ex_date") <= last)).sort("ex_date")
    before = bars.select(prior_close="close", day="session_date")
    return told.join_asof(
        before, left_on="ex_date", right_on="day", strategy="backward", allow_exact_matches=False
    )


@real
@pytest.mark.parametrize(
    ("symbol", "day"),
    [
        ("AIG", "1999-08-02"),
        ("AIG", "2009-07-01"),
        ("BAC", "2004-08-30"),
        ("EEM", "2005-06-09"),
        ("EEM", "2008-07-24"),
        ("IBM", "1999-05-27"),
        ("IWM", "2005-06-09"),
        ("ORCL", "2000-01-19"),
        ("QQQ", "2000-03-20"),
    ],
)
def test_a_real_split_is_a_jump_in_raw_prices_and_none_in_adjusted_ones(symbol, day):
    bars = real_bars(symbol)
    at = (bars["session_date"] == date.fromisoformat(day)).arg_true().item()
    known = real_actions(symbol, bars)

    moves = [
        frame["close"][at] / frame["close"][at - 1]
        for frame in (bars, adjusted(bars, known, "split"))
    ]
    assert not 0.8 < moves[0] < 1.2
    assert 0.75 < moves[1] < 1.25  # AIG fell by a fifth on the day of its reverse split


@real
@pytest.mark.parametrize("symbol", ["SPY", "IBM", "BAC", "IWM", "EEM", "AIG"])
def test_over_a_real_ex_date_the_dividend_is_earned(symbol):
    # The return of "dividend" over an ex date is close / (close before - amount), nothing else changes.
    bars = real_bars(symbol)
    known = real_actions(symbol, bars).filter(pl.col("kind") == "cash_dividend")
    assert known.height > 3
    seen = bars.select(
        "session_date",
        raw=pl.col("close") / pl.col("close").shift(),
        earned=adjusted(bars, known, "dividend")["close"].pct_change() + 1,
    ).join(known, left_on="session_date", right_on="ex_date", how="left")
    paid = pl.col("amount") / pl.col("prior_close")
    expected = pl.when(pl.col("amount").is_null()).then("raw").otherwise(pl.col("raw") / (1 - paid))

    assert seen.select(((pl.col("earned") / expected - 1).abs()).max()).item() < 1e-9
    # CRSP's return, (close + amount) / close before, is the same to the second order.
    crsp = pl.col("raw") + paid
    assert seen.select((pl.col("earned") - crsp).abs().max()).item() < 0.005


@real
def test_a_year_of_dividends_makes_the_total_return_of_spy():
    # The S&P 500 in 2019: 28.88 % in price, 31.49 % with dividends (dqydj.com/2019-sp-500-return); the
    # fund costs 0.09 % and pays a quarter late.
    span = pl.col("session_date").is_between(date(2018, 12, 31), date(2019, 12, 31))
    bars = real_bars("SPY").filter(span)
    known = real_actions("SPY", bars)
    year = {}
    for adjust in ("raw", "all"):
        close = adjusted(bars, known, adjust)["close"]
        year[adjust] = close[-1] / close[0] - 1

    assert year["raw"] == pytest.approx(0.2888, abs=0.002)
    assert year["all"] == pytest.approx(0.3149, abs=0.005)


@real
def test_a_dividend_of_another_company_under_the_same_ticker_is_refused():
    # WM was Washington Mutual until 2008, and its last price is a few cents: the dividend of 2009 is
    # Waste Management's.
    bars = real_bars("WM")
    with pytest.raises(FactorMissingError, match="WM on 2009-05-28"):
        adjusted(bars, real_actions("WM", bars), "all")


@real
def test_fox_in_2013_a_spin_off_gives_the_factor_that_quantconnect_publishes():
    # News Corp became Fox on 2013-07-01 and gave 1 share of the new News Corp for every 4. That day the
    # new one fell 51 cents to 14.87, Fox rose 2.2 % to 29.40 (multichannel.com): 15.38 and 28.77 without
    # each other the evening before. QuantConnect's factor file has it as USD 3.82 of 32.60.
    before, after = real_bars("NWSA")["close"][-1], real_bars("FOXA")["close"][0]
    raw = closes("FOXA", {"2013-06-28": before, "2013-07-01": after})
    known = actions(action("2013-07-01", "spin_off", "FOXA", amount=15.38 / 4, ex_close=28.77))

    seen = adjusted(raw, known, "all")["close"]
    assert seen[0] / before == pytest.approx(1 - 3.82 / 32.60, abs=0.002)
