"""What the page Bars promises to somebody with a browser."""

import re

import httpx2
import pytest

from tests.ui.browser import is_within, settled, visited
from tests.ui.conftest import running_pages

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
CHART = "[data-testid=stVegaLiteChart] :is(canvas, svg)"
TITLE = "[data-testid=stMarkdown] h3"


def choose(page, label, option):
    page.get_by_role("combobox", name=re.compile(label)).click()
    page.get_by_role("option", name=option, exact=True).click()
    settled(page)


def press(page, name):
    page.get_by_role("radio", name=name, exact=True).or_(
        page.get_by_role("button", name=name, exact=True)
    ).first.click()
    settled(page)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_bars_are_drawn_as_candles(browser, system, width, dark):
    with visited(browser, system.pages, width=width, dark=dark) as page:
        box = page.locator(CHART).first.bounding_box()
        assert box["width"] > width * 0.7
        assert box["height"] > 300
        assert is_within(page)


def test_a_link_opens_the_symbol_and_the_timeframe_it_names(browser, system):
    with visited(browser, f"{system.pages}/?symbol=spy&timeframe=1h&range=1M") as page:
        assert page.locator(TITLE).inner_text().startswith("SPY")
        assert "bars of 1h" in page.inner_text("body")
        assert "symbol=SPY" in page.url
        assert "timeframe=1h" in page.url


def test_what_is_chosen_is_drawn_and_goes_into_the_link(browser, system):
    with visited(browser, system.pages) as page:
        choose(page, "Symbol", "SPY")
        choose(page, "Timeframe", "15min")
        press(page, "1M")

        page.wait_for_function("location.search.includes('symbol=SPY')")
        page.get_by_text("bars of 15min").wait_for()
        assert {"symbol=SPY", "timeframe=15min", "range=1M"} <= set(
            page.url.partition("?")[2].split("&")
        )
        address = page.url
    with visited(browser, address) as page:
        assert page.locator(TITLE).inner_text().startswith("SPY")
        assert "bars of 15min" in page.inner_text("body")


def test_a_session_that_was_never_fetched_is_mentioned(browser, system):
    with visited(browser, f"{system.pages}/?symbol=QQQ") as page:
        assert "390 regular minutes of 1 session were never fetched" in page.inner_text("body")
    with visited(browser, f"{system.pages}/?symbol=SPY") as page:
        assert "Every regular minute of this range was fetched" in page.inner_text("body")


def test_more_candles_than_fit_are_cut_and_the_page_says_so(browser, system):
    with visited(browser, f"{system.pages}/?symbol=SPY&range=All&timeframe=1min") as page:
        assert "Only the newest 500 bars" in page.inner_text("body")


def test_the_pointer_tells_the_numbers_of_a_bar(browser, system):
    with visited(browser, f"{system.pages}/?symbol=SPY") as page:
        box = page.locator(CHART).first.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.move(box["x"] + box["width"] / 2 + 4, box["y"] + box["height"] / 2)
        tooltip = page.locator("#vg-tooltip-element.visible")
        tooltip.wait_for()
        assert {"Open", "High", "Low", "Close", "Volume"} <= set(
            re.findall(r"[A-Z][a-z]+", tooltip.inner_text())
        )


def test_a_symbol_that_is_not_there_is_named(browser, system):
    with visited(browser, f"{system.pages}/?symbol=TSLA") as page:
        assert "No bars of 'TSLA' are in the lake" in page.inner_text("body")


def test_without_an_api_the_page_says_how_to_start_one(browser, tmp_path):
    with running_pages(tmp_path, "http://127.0.0.1:1") as pages:
        for path in ("", "/jobs"):
            with visited(browser, f"{pages}{path}") as page:
                assert "does not answer. Start it with barlake up" in page.inner_text("body")


def test_numbers_on_the_page_are_those_of_the_api(browser, system):
    last = httpx2.get(f"{system.api}/bars/SPY?limit=1").json()["bars"][0]["close"]
    with visited(browser, f"{system.pages}/?symbol=SPY&timeframe=1min&range=1D") as page:
        assert f"{last:,.2f}" in page.locator(TITLE).inner_text()
