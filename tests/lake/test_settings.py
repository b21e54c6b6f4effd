"""What settings promise: the names of .env.example work, hosts are told apart, bad ones get a sentence."""

import os

import pytest

from lake.errors import SettingsError
from lake.settings import load_settings


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(("ALPACA_", "APCA_", "BARLAKE_", "REDIS_", "IEX_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_nothing_set_means_alpacas_free_feed_and_a_home_beside_us():
    settings = load_settings()

    assert settings.source == "alpaca:iex"
    assert settings.data_url == "https://data.alpaca.markets"
    assert settings.trading_url == "https://paper-api.alpaca.markets"
    assert str(settings.home) == "data"


ALPACA = {
    "data": "https://data.alpaca.markets",
    "trading": "https://paper-api.alpaca.markets",
    "stream": "wss://stream.data.alpaca.markets",
    "source": "alpaca:iex",
}
ELSEWHERE = {
    "data": "http://localhost:8099",
    "trading": "http://localhost:8099",
    "stream": "ws://localhost:8099",
    "source": "sandbox:iex",
}


@pytest.mark.parametrize(
    ("base", "found"),
    [
        ("https://data.alpaca.markets/", ALPACA),
        ("https://api.alpaca.markets", {**ALPACA, "trading": "https://api.alpaca.markets"}),
        ("https://paper-api.alpaca.markets/v2", ALPACA),
        ("http://localhost:8099/", ELSEWHERE),
    ],
)
def test_one_base_url_finds_its_place(monkeypatch, base, found):
    monkeypatch.setenv("ALPACA_API_BASE_URL", base)
    settings = load_settings()

    assert settings.data_url == found["data"]
    assert settings.trading_url == found["trading"]
    assert settings.stream_url == found["stream"]
    assert settings.source == found["source"]


def test_data_and_stream_can_be_set_apart(monkeypatch):
    monkeypatch.setenv("ALPACA_DATA_URL", "http://127.0.0.1:1/")
    monkeypatch.setenv("ALPACA_STREAM_URL", "ws://127.0.0.1:2/")
    monkeypatch.setenv("ALPACA_FEED", "sip")
    settings = load_settings()

    assert (settings.data_url, settings.stream_url) == ("http://127.0.0.1:1", "ws://127.0.0.1:2")
    assert settings.trading_url == "https://paper-api.alpaca.markets"
    assert settings.source == "sandbox:sip"


@pytest.mark.parametrize("name", ["ALPACA_API_KEY_ID", "ALPACA_KEY_ID", "APCA_API_KEY_ID"])
def test_keys_have_several_names_and_are_never_shown(monkeypatch, name):
    monkeypatch.setenv(name, "not-to-be-seen")
    settings = load_settings()

    assert settings.alpaca_key.get_secret_value() == "not-to-be-seen"
    assert "not-to-be-seen" not in f"{settings!r} {settings}"


def test_a_token_of_a_service_that_is_gone_is_answered(monkeypatch):
    monkeypatch.setenv("IEX_TOKEN", "x")

    assert load_settings().notes == (
        "IEX_TOKEN is set, but that service is gone; ALPACA_FEED=iex replaces it.",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALPACA_FEED", "nyse"),
        ("BARLAKE_API_PORT", "eighty"),
        ("BARLAKE_HISTORY", "long"),
        ("ALPACA_API_BASE_URL", "notaurl"),
        ("ALPACA_DATA_URL", "ftp://somewhere"),
        ("REDIS_URL", "banana"),
        ("BARLAKE_JOURNAL_URL", "foo"),
        ("BARLAKE_SOURCE_NAME", "alpaca"),
    ],
)
def test_a_setting_that_cannot_be_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=name) as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_a_corrupt_env_file_is_a_sentence(tmp_path):
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00broken")

    with pytest.raises(SettingsError, match=r"\.env cannot be read"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ALPACA_FEED=iex\nthis is = = broken\n", 2),
        ('A=1\nB=2\nBARLAKE_WORKERS="2\n', 3),
        ("lonely\n", 1),
    ],
)
def test_a_broken_line_is_named_and_nothing_is_passed_over(tmp_path, text, line):
    (tmp_path / ".env").write_text(text)

    with pytest.raises(SettingsError, match=f"Line {line} of .env is not NAME=value"):
        load_settings()


def test_a_home_that_is_a_file_is_named(tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("BARLAKE_HOME", str(tmp_path / "taken"))

    with pytest.raises(SettingsError, match=r"BARLAKE_HOME cannot be used: .*taken is a file"):
        load_settings()


def test_the_variable_home_of_the_shell_is_not_ours(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")

    assert str(load_settings().home) == "data"
