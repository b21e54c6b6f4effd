"""Chromium without a screen, and a page that notices what goes wrong on it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

_CHROMIUM = Path("/usr/bin/chromium")
_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 30_000  # milliseconds; two busy cores


@contextmanager
def opened_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_found(playwright), args=_OPTIONS)
        yield browser
        browser.close()


def _found(playwright: Playwright) -> Path:
    for place in (_CHROMIUM, Path(playwright.chromium.executable_path)):
        if place.exists():
            return place
    pytest.skip("Chromium is not installed; `apt-get install chromium` brings it.")


@contextmanager
def visited(browser: Browser, url: str, *, width: int = 1280, dark: bool = False) -> Iterator[Page]:
    """A page of the pages, once it is drawn. It may show no exception and load nothing from elsewhere."""
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
    )
    page.set_default_timeout(PATIENCE)
    elsewhere: list[str] = []
    page.on(
        "request",
        lambda request: elsewhere.append(request.url) if is_foreign(request.url) else None,
    )
    try:
        page.goto(url)
        settled(page)
        yield page
        assert page.locator("[data-testid=stException]").all_inner_texts() == []
        assert elsewhere == []
    finally:
        page.close()


def is_foreign(url: str) -> bool:
    return re.match(r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|data:|blob:", url) is None


def settled(page: Page) -> None:
    """Wait until Streamlit has drawn everything."""
    page.locator("[data-testid=stMainBlockContainer]").wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()


def is_within(page: Page) -> bool:
    """Whether nothing sticks out of the page to the right."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
