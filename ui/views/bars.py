"""The page that charts bars of a symbol."""

from dataclasses import dataclass
from datetime import date

import polars as pl
import streamlit as st

from ui.candles import chart
from ui.client import Client
from ui.ranges import CUSTOM, MAX_CANDLES, NEW_YORK, RANGES, TIMEFRAMES, Span, fitting, span_of
from ui.shared import client, sentences

_AUTO = "auto"
_HEIGHT = 520
_HOURS = ("all", "regular")


@dataclass(frozen=True)
class Choice:
    """What the reader wants to see."""

    symbol: str
    span: Span
    timeframe: str
    adjust: str
    regular_only: bool

    def query(self) -> dict[str, str | int | bool]:
        """The same as the API's parameters; one candle more than fits, to know if there are."""
        return {
            "start": self.span.first.isoformat(),
            "end": self.span.last.isoformat(),
            "timeframe": self.timeframe,
            "adjust": self.adjust,
            "regular_only": self.regular_only,
            "limit": MAX_CANDLES + 1,
        }


def show() -> None:
    """Draw the page."""
    with sentences():
        api = client()
        held = _held(api.url)
        if held.is_empty():
            _tell_how_to_begin(api)
            return
        _tell_if_absent(held)
        choice = _choose(held)
        if choice is not None:
            _draw(api, choice)


@st.cache_data(ttl=5, show_spinner=False)
def _held(_url: str) -> pl.DataFrame:
    return client().symbols().filter("is_default")


def _tell_how_to_begin(api: Client) -> None:
    st.subheader("No bars yet")
    st.info(
        "Queue a symbol on the page **Jobs and agents**, or from a terminal. "
        "Bars show here as soon as the first ones are stored.",
        icon=":material/download:",
    )
    st.code(f"curl -X POST {api.url}/ingest/SPY", language="bash")
    st.button("Look again", icon=":material/refresh:")


def _asked() -> str:
    """The symbol the URL names, in capitals; empty if it names none."""
    return str(st.query_params.get("symbol", "")).strip().upper()


def _tell_if_absent(held: pl.DataFrame) -> None:
    asked = _asked()
    if asked and asked not in held["symbol"]:
        st.warning(
            f"No bars of {asked[:16]!r} are in the lake. Queue it on the page Jobs and agents.",
            icon=":material/search_off:",
        )


def _symbol(held: pl.DataFrame) -> str:
    """The chosen symbol, kept in the URL and over a visit of the other page."""
    names = held["symbol"].to_list()
    if "symbol" not in st.session_state and _asked() in names:
        st.session_state["symbol"] = _asked()
    chosen = str(st.selectbox("Symbol", names, key="symbol", persist_state="session", width=170))
    st.query_params["symbol"] = chosen
    return chosen


def _choose(held: pl.DataFrame) -> Choice | None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="choice"):
        symbol = _symbol(held)
        facts = held.row(by_predicate=pl.col("symbol") == symbol, named=True)
        name = st.segmented_control(
            "Range",
            [*RANGES, CUSTOM],
            default="1W",
            required=True,
            key="range",
            bind="query-params",
        )
        limits = span_of("All", facts["first"], facts["last"])
        span = (
            _dates(limits)
            if name == CUSTOM
            else span_of(name or "1W", facts["first"], facts["last"])
        )
        hours = st.segmented_control(
            "Hours", _HOURS, default="regular", required=True, key="hours", bind="query-params"
        )
        adjust = st.segmented_control(
            "Prices", ["raw", "split"], default="raw", required=True, key="adjust", bind="query-params",
            help="As traded, or in today's shares",
        )  # fmt: skip
        if span is None:
            st.info("Choose the last day too.")
            return None
        timeframe = _timeframe(span, regular_only=hours == "regular")
    return Choice(symbol, span, timeframe, adjust or "raw", hours == "regular")


def _dates(limits: Span) -> Span | None:
    chosen = st.date_input(
        "Sessions",
        (max(limits.first, limits.last.replace(day=1)), limits.last),
        min_value=limits.first,
        max_value=limits.last,
        format="YYYY-MM-DD",
        key="dates",
        bind="query-params",
        width=240,
    )
    days = [day for day in chosen if isinstance(day, date)] if isinstance(chosen, tuple) else []
    return Span(days[0], days[1]) if len(days) == 2 else None  # noqa: PLR2004 - first and last


def _timeframe(span: Span, *, regular_only: bool) -> str:
    best = fitting(span, regular_only=regular_only)
    chosen = st.selectbox(
        "Timeframe",
        [_AUTO, *TIMEFRAMES],
        format_func=lambda name: f"auto ({best})" if name == _AUTO else name,
        key="timeframe",
        bind="query-params",
        width=140,
    )
    return best if chosen in {_AUTO, None} else str(chosen)


def _draw(api: Client, choice: Choice) -> None:
    found = api.bars(choice.symbol, **choice.query())
    bars = found.tail(MAX_CANDLES)
    if bars.is_empty():
        st.info(
            f"No bars of {choice.symbol} from {choice.span.first} to {choice.span.last}. "
            "Choose another range, or queue it on the page Jobs and agents.",
            icon=":material/event_busy:",
        )
        return
    _headline(choice, bars)
    st.altair_chart(
        chart(bars, height=_HEIGHT),
        alt=f"Candles of {choice.symbol}, {choice.timeframe}",
        key="chart",
    )
    _footnotes(choice, bars, cut=found.height > MAX_CANDLES)
    _gaps(api, choice)
    _details(api, choice, bars)


def _headline(choice: Choice, bars: pl.DataFrame) -> None:
    first, last = bars.row(0, named=True), bars.row(-1, named=True)
    change = last["close"] / first["open"] - 1 if first["open"] else 0.0
    mark = ":green[▲" if change >= 0 else ":red[▼"
    st.markdown(
        f"### {choice.symbol} &ensp;{last['close']:,.2f} &ensp;{mark} {change:+.2%}]"
        f" &ensp;:gray[:small[{last['source']}]]"
    )


def _footnotes(choice: Choice, bars: pl.DataFrame, *, cut: bool) -> None:
    first, last = (
        moment.astimezone(NEW_YORK).strftime("%a %-d %b %Y %H:%M")
        for moment in (bars["timestamp"][0], bars["timestamp"][-1])
    )
    if cut:
        st.caption(
            f":orange[Only the newest {MAX_CANDLES} bars of the range are shown; "
            "a wider timeframe shows all of it.]"
        )
    st.caption(
        f"{bars.height:,} bars of {choice.timeframe}, {first} to {last} New York time. "
        "Alt + wheel zooms, dragging moves, a double click shows all."
    )


def _gaps(api: Client, choice: Choice) -> None:
    """Say what was never fetched: a hole in the chart would not show."""
    first, last = choice.span.first.isoformat(), choice.span.last.isoformat()
    gaps = api.gaps(choice.symbol, start=first, end=last)
    if gaps.is_empty():
        st.caption(":material/check_circle: Every regular minute of this range was fetched.")
        return
    days, minutes = gaps["session_date"].n_unique(), gaps["minutes"].sum()
    where = "1 session" if days == 1 else f"{days:,} sessions"
    title = f":orange[:material/warning: {minutes:,} regular minutes of {where} were never fetched]"
    with st.expander(title):
        st.dataframe(gaps, hide_index=True)
        st.code(
            f"curl -X POST '{api.url}/ingest/{choice.symbol}?start={first}&end={last}'",
            language="bash",
        )


def _details(api: Client, choice: Choice, bars: pl.DataFrame) -> None:
    with st.expander(":material/table: The same as a table, and from a terminal"):
        wanted = {**choice.query(), "limit": MAX_CANDLES}
        query = "&".join(f"{name}={str(value).lower()}" for name, value in wanted.items())
        st.code(f"curl '{api.url}/bars/{choice.symbol}?{query}'", language="bash")
        st.dataframe(bars.sort("timestamp", descending=True), hide_index=True, height=320)
