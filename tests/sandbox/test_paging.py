"""What paging promises: page by page one gets exactly the bars of one big page."""

from hypothesis import given, settings
from hypothesis import strategies as st

RANGE = {"start": "2024-11-27T12:00:00Z", "end": "2024-12-02T18:00:00Z"}
SYMBOLS = ["AAPL", "LATE", "NOPE", "SPY", "THIN"]


def flat(pages):
    return [pair for page in pages for pair in page]


@given(
    symbols=st.sets(st.sampled_from(SYMBOLS), min_size=1),
    limit=st.one_of(st.integers(150, 4000), st.sampled_from([958, 959, 960, 10_000])),
    sort=st.sampled_from(["asc", "desc"]),
    timeframe=st.sampled_from(["1Min", "5Min", "1Day"]),
)
@settings(max_examples=30, deadline=None)
def test_any_page_size_gives_the_bars_of_one_big_page(client, symbols, limit, sort, timeframe):
    request = {"symbols": ",".join(sorted(symbols)), "sort": sort, "timeframe": timeframe, **RANGE}
    whole = flat(client.pages(**request, limit=10_000))
    pages = list(client.pages(**request, limit=limit))

    assert flat(pages) == whole
    assert all(len(page) == limit for page in pages[:-1])
    assert 0 < len(pages[-1]) <= limit or not whole


@given(minute=st.integers(31, 59), limit=st.integers(1, 7), sort=st.sampled_from(["asc", "desc"]))
@settings(max_examples=20, deadline=None)
def test_any_small_page_of_a_small_range_gives_the_same_bars(client, minute, limit, sort):
    request = {
        "symbols": "THIN,IBM",
        "start": "2024-11-29T17:30:00Z",
        "end": f"2024-11-29T17:{minute}:30Z",
        "sort": sort,
    }
    whole = flat(client.pages(**request, limit=10_000))

    assert flat(client.pages(**request, limit=limit)) == whole


def test_a_symbol_goes_on_on_the_next_page_and_later_symbols_come_last(client):
    pages = list(client.pages(symbols="THIN,AAPL", start="2024-11-27", end="2024-11-27", limit=700))

    assert {symbol for symbol, _ in pages[0]} == {"AAPL"}
    assert [symbol for symbol, _ in pages[1]] == sorted(symbol for symbol, _ in pages[1])
    assert {symbol for symbol, _ in pages[1]} == {"AAPL", "THIN"}


def test_a_range_that_fills_a_page_exactly_has_no_next_page(client):
    page = client.page(
        symbols="SPY", start="2024-11-27T14:30:00Z", end="2024-11-27T14:39:00Z", limit=10
    )

    assert len(page["bars"]["SPY"]) == 10
    assert page["next_page_token"] is None
