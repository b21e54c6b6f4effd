"""What the page Jobs and agents promises to somebody with a browser."""

import httpx2
import pytest

from lake.journal import Journal, switches
from lake.journal import alerts as kept
from tests.api import servers
from tests.ui.browser import is_within, settled, visited
from tests.ui.conftest import running_pages

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def order(page, symbols):
    page.get_by_role("textbox", name="Symbols").fill(symbols)
    page.get_by_role("button", name="Queue").click()
    settled(page)


def alerts(page):
    page.locator("[data-testid=stAlert]").first.wait_for()
    return page.locator("[data-testid=stAlert]").all_inner_texts()


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (390, False)])
def test_agents_and_jobs_are_listed(browser, system, width, dark):
    with visited(browser, f"{system.pages}/jobs", width=width, dark=dark) as page:
        text = page.inner_text("body")
        assert "broker: ready" in text
        assert "Agents" in text
        assert is_within(page)


def test_a_symbol_is_fetched_from_the_form_to_the_chart(browser, system):
    with visited(browser, f"{system.pages}/jobs") as page:
        order(page, "iwm")
        assert any("IWM is" in text for text in alerts(page))
        (job,) = httpx2.get(f"{system.api}/jobs?symbol=IWM").json()["jobs"]
        assert servers.until_done(system.api, job["id"])["state"] == "done"
        page.locator("[data-testid=stDataFrame]").nth(1).wait_for()
        assert len(httpx2.get(f"{system.api}/agents").json()["agents"]) >= 1
    with visited(browser, f"{system.pages}/?symbol=IWM") as page:
        page.get_by_role("heading", name="IWM").wait_for()
        page.locator("[data-testid=stVegaLiteChart]").wait_for()


def test_what_cannot_be_queued_is_a_sentence(browser, system):
    with visited(browser, f"{system.pages}/jobs") as page:
        order(page, "../x, SPY")
        said = alerts(page)
        assert len([text for text in said if "'../x' is not a ticker" in text]) == 1


def test_nothing_written_is_answered_too(browser, system):
    with visited(browser, f"{system.pages}/jobs") as page:
        order(page, " ")
        assert any("at least one symbol" in text for text in alerts(page))


def test_what_is_wrong_is_shown_and_a_paused_agent_is_started_with_a_button(browser, system):
    with Journal.open(system.home) as journal:
        wrong = "SPY from sandbox:iex is 31 hours behind."
        kept.raise_alert(journal, "freshness", "sandbox:iex SPY", wrong)
        switches.turn(journal, "simulate", "paused", "the machine is needed")
        job, _ = journal.queue("simulate", "", "QQQ")
        try:
            with visited(browser, f"{system.pages}/jobs") as page:
                page.get_by_text(wrong).wait_for()
                page.get_by_text("simulate is paused: the machine is needed").wait_for()
                page.get_by_role("button", name="Start").click()
                page.get_by_text("simulate is paused").wait_for(state="detached")
            assert switches.is_on(journal, "simulate")
            servers.until_done(system.api, job.id)
            with visited(browser, f"{system.pages}/jobs", width=390) as page:
                page.locator("[data-testid=stDataFrame]").nth(1).wait_for()
                assert is_within(page)
        finally:
            kept.settle(journal, "freshness", "sandbox:iex SPY")


def test_an_empty_lake_says_how_to_begin(browser, tmp_path):
    home, folder = tmp_path / "home", tmp_path / "api"
    folder.mkdir()
    with (
        servers.api(home, folder, REDIS_URL="redis://127.0.0.1:1/0") as api,
        running_pages(tmp_path, api) as pages,
    ):
        with visited(browser, pages) as page:
            assert "No bars yet" in page.inner_text("body")
            code = page.locator("[data-testid=stCode] code").text_content()
            assert code == f"curl -X POST {api}/ingest/SPY"
        with visited(browser, f"{pages}/jobs") as page:
            assert "No jobs yet" in page.inner_text("body")
            assert "broker: missing" in page.inner_text("body")
