"""What expressions of users promise: the laws of all features, the values of SQL, and nothing unsafe."""

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from feature_service import catalog, engine
from feature_service.expressions import COLUMNS, FUNCTIONS, Derived, ExpressionError, derived

from .thin_bars import thin_bars, thin_weeks

KNOWN = catalog.features()
few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
#: Windows, recursions, windows within a session, and one that is null now and then.
FEATURES = ["sma_5", "ema_12", "rsi_14", "return_1", "return_5m", "relative_volume_20"]


def made(text: str, name: str = "mine") -> Derived:
    return derived(name, text, KNOWN)


def bars_of(least: int = 1):
    return st.integers(least, 12).map(str)


def larger(number):
    return st.one_of(
        st.tuples(number, st.sampled_from(["+", "-", "*", "/", "**"]), number).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        st.tuples(st.sampled_from(["abs", "log", "exp", "sqrt", "sign"]), number).map(
            lambda parts: f"{parts[0]}({parts[1]})"
        ),
        st.tuples(st.sampled_from(["min", "max"]), number, number).map(
            lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"
        ),
        st.tuples(number, number, number).map(lambda parts: f"clip({', '.join(parts)})"),
        st.tuples(number, st.sampled_from(["<", ">=", "=="]), number, number, number).map(
            lambda p: f"where({p[0]} {p[1]} {p[2]} or not {p[3]} > 0, {p[3]}, {p[4]})"
        ),
        st.tuples(
            st.sampled_from(["lag", "diff", "mean", "highest", "lowest", "ema"]),
            number,
            bars_of(),
        ).map(lambda parts: f"{parts[0]}({parts[1]} + 0 * close, {parts[2]})"),
        st.tuples(st.sampled_from(["std", "zscore"]), number, bars_of(2)).map(
            lambda parts: f"{parts[0]}({parts[1]} + 0 * close, {parts[2]})"
        ),
    )


written = st.recursive(
    st.one_of(st.sampled_from([*COLUMNS, *FEATURES]), st.sampled_from(["0", "1.5", "-2", "3"])),
    larger,
    max_leaves=6,
).map(lambda text: f"{text} + 0 * close")


def computed(bars: pl.DataFrame, *features) -> pl.DataFrame:
    wide = engine.compute(bars.lazy(), features).collect()
    return wide.select(one.name for one in features)


def same_bits(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert_frame_equal(left, right, check_exact=True)
    for name in left.columns:
        assert left[name].to_numpy().tobytes() == right[name].to_numpy().tobytes()


@few
@given(bars=thin_bars(), text=written, seen=st.integers(0, 90), cut=st.integers(0, 90))
def test_any_expression_knows_the_past_alone_and_is_a_number_or_null(bars, text, seen, cut):
    feature = made(text)
    whole = computed(bars, feature)

    same_bits(computed(bars.head(seen), feature), whole.head(seen))
    chunked = pl.concat([bars.head(cut), bars.tail(max(bars.height - cut, 0))], rechunk=False)
    same_bits(computed(chunked, feature), whole)
    assert whole["mine"].drop_nulls().is_finite().all()
    assert whole["mine"].head(feature.warm_up).null_count() == min(feature.warm_up, bars.height)


@few
@given(bars=thin_weeks(), text=written, share=st.floats(0.2, 0.95))
def test_any_expression_goes_on_from_stored_rows_with_the_bits_of_the_whole(bars, text, share):
    feature = made(text)
    memory, whole_sessions = engine.reach([feature])
    recursions = engine.recursions([feature])
    whole = engine.compute(bars.lazy(), [feature, *recursions]).collect()
    days = bars["session_date"].unique(maintain_order=True).to_list()
    first = int(len(days) * share)
    end = bars["session_date"].search_sorted(days[first])
    for back in range(max(whole_sessions, 1), first):
        start = bars["session_date"].search_sorted(days[first - back])
        if end - start >= memory:
            break
    else:
        return
    if any(whole[end - 1, one.name] is None for one in recursions):
        return
    held = whole.slice(start, end - start).select(
        "timestamp", *(pl.col(one.name).alias(one.held) for one in recursions)
    )
    part = bars.slice(start).join(held, on="timestamp", how="left", maintain_order="left")
    found = engine.compute(part.lazy(), [feature], end - start).collect()

    same_bits(found.slice(end - start).select("mine"), whole.slice(end).select("mine"))


OVER = "(ORDER BY timestamp ROWS BETWEEN {} PRECEDING AND CURRENT ROW)"
LAG = "lag({}, {}) OVER (ORDER BY timestamp)"
ROW = "row_number() OVER (ORDER BY timestamp)"
SQL = {
    "close / open - 1": "close / open - 1",
    "-(high - low) * 2": "-(high - low) * 2",
    "volume / (close - open)": "volume / nullif(close - open, 0)",
    "log(close - open)": "CASE WHEN close > open THEN ln(close - open) END",
    "sqrt(close - open)": "CASE WHEN close >= open THEN sqrt(close - open) END",
    "abs(close - open) ** 2": "pow(abs(close - open), 2)",
    "sign(close - open)": "sign(close - open)",
    "max(open, close, 100) - min(open, close)": "greatest(open, close, 100) - least(open, close)",
    "clip(close, 99.95, 100.05)": "least(greatest(close, 99.95), 100.05)",
    "where(volume > 0 and close >= open, close / volume, 0)": """
        CASE WHEN volume > 0 AND close >= open THEN close / volume ELSE 0 END""",
    "where(not (99 < close <= 101) or volume == 0, 1, vwap)": """
        CASE WHEN NOT (99 < close AND close <= 101) OR volume = 0 THEN 1 ELSE vwap END""",
    "lag(close, 3)": LAG.format("close", 3),
    "diff(close, 2)": f"close - {LAG.format('close', 2)}",
    "mean(high - low, 5)": f"if({ROW} >= 5, avg(high - low) OVER {OVER.format(4)}, NULL)",
    "mean(vwap, 3)": f"if({ROW} >= 3 AND count(vwap) OVER {OVER.format(2)} = 3, avg(vwap) OVER {OVER.format(2)}, NULL)",
    "std(volume, 4)": f"if({ROW} >= 4, stddev_pop(volume) OVER {OVER.format(3)}, NULL)",
    "highest(high, 6) - lowest(low, 6)":
        f"if({ROW} < 6, NULL, max(high) OVER {OVER.format(5)} - min(low) OVER {OVER.format(5)})",
    "zscore(volume, 7)": f"""if({ROW} >= 7 AND max(volume) OVER {OVER.format(6)} > min(volume) OVER {OVER.format(6)},
        (volume - avg(volume) OVER {OVER.format(6)}) / stddev_pop(volume) OVER {OVER.format(6)}, NULL)""",
    "sma_5 / close": f"if({ROW} >= 5, avg(close) OVER {OVER.format(4)} / close, NULL)",
}  # fmt: skip


@few
@given(bars=thin_bars())
def test_sql_agrees(bars):
    features = [made(text, f"x{number}") for number, text in enumerate(SQL)]
    with duckdb.connect() as con:
        con.register("bars", bars)
        asked = ", ".join(f"({query}) AS x{number}" for number, query in enumerate(SQL.values()))
        expected = con.execute(f"SELECT {asked} FROM bars ORDER BY timestamp").pl()
    found = computed(bars, *features)
    for feature in features:
        np.testing.assert_allclose(
            found[feature.name].fill_null(np.nan).to_numpy(),
            expected[feature.name].cast(pl.Float64).fill_null(np.nan).to_numpy(),
            rtol=1e-6,
            atol=1e-6,
            err_msg=feature.text,
        )


@few
@given(bars=thin_bars())
def test_an_expression_of_a_feature_has_its_bits(bars):
    wide = computed(
        bars,
        made("ema(close, 12)"),
        made("mean(close, 5)", "other"),
        KNOWN["ema_12"],
        KNOWN["sma_5"],
    )

    same_bits(wide.select(a="mine", b="other"), wide.select(a="ema_12", b="sma_5"))


def test_an_expression_says_what_it_is_like_any_feature():
    feature = made("zscore( lag(rsi_14,3)*2,20 )")

    assert feature.text == "zscore(lag(rsi_14, 3) * 2, 20)"
    assert feature.parents == ("rsi_14",)
    assert feature.warm_up == KNOWN["rsi_14"].warm_up + 3 + 19
    assert feature.memory == KNOWN["rsi_14"].memory + 3 + 19
    assert feature.code_reference == "expression:zscore(lag(rsi_14, 3) * 2, 20)"
    assert feature.group == "expressions"


def test_layout_does_not_count_for_the_hash_and_everything_else_does(monkeypatch):
    feature = made("sma_5 / ema_12 - 1")

    assert made("(sma_5/ema_12) - 1").hash == feature.hash
    others = [
        made("sma_5 / ema_12 - 2"),
        made("sma_5 / ema_26 - 1"),
        made("sma_5 / ema_12 - 1", "x"),
    ]
    assert feature.hash not in {one.hash for one in others}
    again = derived("mine", "sma_5 / ema_12 - 1", {**KNOWN, "sma_5": KNOWN["sma_20"]})
    assert again.hash != feature.hash
    before = feature.hash
    monkeypatch.setattr(pl, "__version__", "0.0.1")
    assert feature.hash != before


def test_bars_of_a_day_leave_out_what_reads_features_within_a_session():
    assert made("return_5m * 2").intraday == KNOWN["return_5m"].intraday
    assert not made("sma_5 * 2").intraday


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("__import__('os').system('true')", '.system" is no function'),
        ("close.shift(-1)", "'close.shift' is no function"),
        ("open('/etc/passwd')", "'open' is no function"),
        ("lag(close, -1)", "1 to 5,000"),
        ("lag(close, 0)", "1 to 5,000"),
        ("mean(close, 5001)", "1 to 5,000"),
        ("mean(close, 2.0)", "1 to 5,000"),
        ("mean(close, True)", "1 to 5,000"),
        ("mean(close, volume)", "1 to 5,000"),
        ("std(close, 1)", "2 to 5,000"),
        ("mean(3, 5)", "window over no column"),
        ("mean(close)", "needs 2 arguments"),
        ("mean(close, n=5)", "names or stars"),
        ("max(*close)", "names or stars"),
        ("max(close)", "at least 2"),
        ("close > open", "where(…, 1, 0)"),
        ("where(close, 1, 0)", "no condition"),
        ("where(close in open, 1, 0)", "no condition"),
        ("1 if close > open else 0", "not allowed"),
        ("[close]", "not allowed"),
        ("lambda: close", "not allowed"),
        ("(x := close)", "not allowed"),
        ("close // 2", "not allowed"),
        ("close % 2", "not allowed"),
        ("close @ open", "not allowed"),
        ("~close", "not allowed"),
        ("f'{close}'", "not allowed"),
        ("'close'", "no number"),
        ("True", "no number"),
        ("1j", "no number"),
        ("1e999 * close", "too large"),
        (f"1{'0' * 400} * close", "too large"),
        ("1 + 2", "reads no column"),
        ("cloze", "nearest are close"),
        ("smaa_5", "sma_5"),
        ("_rsi_up_14", "no column and no feature"),
        ("timestamp", "no column and no feature"),
        ("meen(close, 5)", "mean is the nearest"),
        ("close +", "cannot be read"),
        ("", "cannot be read"),
        ("close; open", "cannot be read"),
        ("close\0", "cannot be read"),
        ("(" * 300 + "close" + ")" * 300, "cannot be read"),
        ("-" * 900 + "close", ""),
        ("+".join(["close"] * 90), "nested deeper"),
        ("close + " * 200 + "close", "longer than 1,000"),
    ],
)  # fmt: skip
def test_what_is_not_on_the_safe_list_is_a_sentence(text, words):
    with pytest.raises(ExpressionError) as caught:
        made(text)

    said = str(caught.value)
    assert words in said
    assert said.startswith("The expression mine: ")
    assert all(name in said for name in FUNCTIONS)
    assert len(said) < 600


@pytest.mark.parametrize(
    "name", ["close", "sma_5", "Mine", "", "held_x", "session", "mean", "symbol", "a b", "x" * 60]
)
def test_a_name_that_is_taken_or_cannot_be_is_a_sentence(name):
    with pytest.raises(ExpressionError, match="name"):
        derived(name, "close", KNOWN)
