"""What the door of the live agent says before it begins."""

from datetime import UTC, date, datetime

import pytest

from agents.live.door import main
from agents.live.watched import watched
from app.cli.main import outcome
from lake import lists
from lake.errors import SettingsError
from lake.lists import ListMissingError
from lake.settings import load_settings


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BARLAKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ALPACA_API_KEY_ID", "key")
    monkeypatch.setenv("ALPACA_API_SECRET_KEY", "secret")
    monkeypatch.setenv("BARLAKE_WATCH", "SPY")
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"BARLAKE_WATCH": ""}, "There is nothing to watch. Name symbols in BARLAKE_WATCH"),
        ({"ALPACA_API_KEY_ID": ""}, "No Alpaca keys are set."),
        ({"REDIS_URL": "redis://127.0.0.1:9/0"}, "127.0.0.1:9"),
        ({"BARLAKE_WATCH": "SPY,no ticker!"}, "The setting BARLAKE_WATCH cannot be used"),
        ({"BARLAKE_WATCH": "@nowhere.txt"}, "nowhere.txt cannot be read"),
        ({"BARLAKE_WATCH_BY": "pigeon"}, "BARLAKE_WATCH_BY"),
    ],
)
def test_what_cannot_begin_says_why_in_a_sentence(here, monkeypatch, capsys, settings, sentence):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    assert main() == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
    assert not (here / "home" / "duckdb" / "lake.sqlite").exists()


def test_the_command_says_the_same(here, monkeypatch, capsys):
    monkeypatch.setenv("BARLAKE_WATCH", "")
    assert outcome(["live"]) == 2
    assert "nothing to watch" in capsys.readouterr().err
    assert outcome(["live", "no ticker!"]) == 2


def test_members_of_a_list_are_watched_from_the_day_it_is_set(here, monkeypatch, store):
    monkeypatch.setenv("BARLAKE_WATCH", "list:mine,SPY")
    lists.set_list(store, "mine", ["AAPL", "QQQ"], date(2024, 11, 4))
    at = [datetime(2024, 11, day, 15, tzinfo=UTC) for day in (1, 4)]

    assert watched(load_settings(), store, at[0]) == ("SPY",)
    assert watched(load_settings(), store, at[1]) == ("AAPL", "QQQ", "SPY")
    monkeypatch.setenv("BARLAKE_WATCH", "list:other")
    with pytest.raises(ListMissingError):
        watched(load_settings(), store, at[1])


def test_symbols_are_named_in_a_list_or_in_a_file(here, monkeypatch):
    monkeypatch.setenv("BARLAKE_WATCH", "spy, QQQ AAPL,SPY")
    assert load_settings().watched == ("AAPL", "QQQ", "SPY")

    (here / "mine.txt").write_text("IWM  # small ones\n\nBRK.B\n# TSLA\n")
    monkeypatch.setenv("BARLAKE_WATCH", "@mine.txt")
    assert load_settings().watched == ("BRK.B", "IWM")

    (here / "mine.txt").write_text("no ticker!")
    with pytest.raises(SettingsError, match="BARLAKE_WATCH"):
        load_settings()
