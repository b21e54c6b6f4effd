"""What the figures of a bare symbol over HTTP promise."""

import pytest

from app.api.main import create_app
from tests.api.conftest import asked


@pytest.fixture
def api(filled_home, make_settings, queue):
    yield from asked(create_app(make_settings(filled_home), queue.send))


def test_a_symbols_figures_come_as_json(api):
    told = api.get("/symbols/spy/statistics", params={"index": "SPY"}).json()

    assert (told["symbol"], told["sessions"], told["beta"]) == ("SPY", 1, None)
    assert told["total_return"] > -1


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/symbols/NOPE/statistics", 404, "barlake ingest NOPE"),
        ("/symbols/SPY/statistics?start=2024-11-06", 404, "figures need two"),
        ("/symbols/SPY/statistics?adjust=twice", 422, "dividend, all"),
    ],
)
def test_what_cannot_be_told_is_a_sentence(api, path, code, words):
    answer = api.get(path)

    assert (answer.status_code, words in answer.json()["message"]) == (code, True), answer.json()
