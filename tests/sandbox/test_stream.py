"""What the market data stream promises, to alpaca-py and to any other client."""

import asyncio
from datetime import UTC, datetime

import msgpack
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sandbox.config import SandboxConfig
from sandbox.control import Control
from sandbox.serve import running
from sandbox.stream import Connection
from tests.sandbox.streams import listening, plain, wait_for

#: A minute before the opening; a minute of the sandbox is half a second here.
BEGIN = datetime(2024, 11, 4, 14, 29, tzinfo=UTC)
FAST = {"now": None, "begin": BEGIN, "speed": 120.0}


@pytest.fixture(scope="module")
def quiet_url():
    with running(SandboxConfig(now=BEGIN, stream_symbols=3)) as url:
        yield url


def test_alpaca_py_gets_each_minute_once_with_the_values_of_rest(open_sandbox):
    client = open_sandbox(**FAST, late_trades=0.0)
    with listening(client.url, feed="sip", bars=["SPY", "AAPL"]) as listener:
        wait_for(lambda: len(listener.kinds("b")) >= 20, "20 bars")

    bars = listener.kinds("b")
    for symbol in ("SPY", "AAPL"):
        sent = [bar for bar in bars if bar["S"] == symbol]
        times = [bar["t"].seconds for bar in sent]
        assert times == list(range(times[0], times[0] + 60 * len(times), 60))
        stamps = [bar["t"].to_datetime().isoformat() for bar in sent]
        served = client.bars(symbol, stamps[0], stamps[-1])
        assert [{k: bar[k] for k in "ohlcvn"} for bar in sent] == [
            {k: bar[k] for k in "ohlcvn"} for bar in served
        ]


def test_alpaca_pys_models_are_made_of_bars_updates_and_days(open_sandbox):
    client = open_sandbox(**FAST, late_trades=1.0)
    with listening(client.url, bars=["*"], updated=["SPY"], daily=["SPY"], raw=False) as listener:
        wait_for(lambda: len(listener.got) >= 40, "40 models")

    assert {bar.symbol for bar in listener.got} > {"SPY", "AAPL"}
    assert all(bar.timestamp.tzinfo and bar.close > 0 for bar in listener.got)


def test_a_late_trade_comes_as_an_update_half_a_minute_after_the_minute(open_sandbox):
    client = open_sandbox(**FAST, late_trades=1.0)
    with listening(client.url, feed="sip", bars=["SPY"], updated=["SPY"]) as listener:
        wait_for(lambda: len(listener.kinds("u")) >= 5, "5 updates")

    first = {bar["t"].seconds: bar for bar in listener.kinds("b")}
    for update in listener.kinds("u")[1:]:
        assert first[update["t"].seconds]["n"] == update["n"] - 1
    kinds = [message["T"] for message in listener.got]
    assert "bub" in "".join(kinds)


def test_each_message_is_what_truth_was_when_it_was_sent(open_sandbox):
    client = open_sandbox(
        now=BEGIN,
        late_trades=0.5,
        faults='{"late_correction": 0.3, "late_bar": 0.2, "hole": 0.1, "misaligned": 0.1}',
    )
    control = Control(client.url)
    with listening(client.url, feed="sip", bars=["*"], updated=["*"]) as listener:
        for _ in range(5):
            control.set_clock(advance=60)
        wait_for(lambda: any(bar["t"].seconds % 3600 == 32 * 60 for bar in listener.got))
        wait_for(lambda: any(bar["t"].seconds % 3600 == 32 * 60 for bar in listener.kinds("u")))

    good = [bar for bar in listener.got if bar["t"].seconds % 60 == 0]
    assert len(good) > 20
    for bar in good:
        opened = bar["t"].to_datetime()
        sent = bar["t"].seconds + (61 if bar["T"] == "b" else 90)
        (true,) = control.truth(bar["S"], start=opened, end=opened, as_of=sent)["bars"]
        assert {name: bar[name] for name in ("o", "h", "l", "c", "v", "n", "vw")} == {
            name: true[name] for name in ("o", "h", "l", "c", "v", "n", "vw")
        }


def test_the_subscription_is_answered_with_the_whole_list(quiet_url):
    with plain(quiet_url, authenticated=True) as client:
        (first,) = client.ask(action="subscribe", bars=["SPY"], updatedBars=["SPY"])
        (second,) = client.ask(action="subscribe", bars=["AAPL"])
        (third,) = client.ask(action="unsubscribe", bars=["SPY"], updatedBars=["SPY"])

    assert first["T"] == "subscription"
    assert (first["bars"], first["updatedBars"], first["trades"]) == (["SPY"], ["SPY"], [])
    assert second["bars"] == ["AAPL", "SPY"]
    assert (third["bars"], third["updatedBars"]) == (["AAPL"], [])
    assert next(iter(first)) == "T"


@pytest.mark.parametrize("packed", [False, True])
def test_both_codecs_speak_alike_and_msgpack_has_timestamps(open_sandbox, packed):
    url = open_sandbox(**FAST).url
    with plain(url, feed="test", packed=packed, authenticated=True) as client:
        client.ask(action="subscribe", bars=["FAKEPACA"])
        (bar,) = client.receive()

    assert (bar["T"], bar["S"]) == ("b", "FAKEPACA")
    if packed:
        assert isinstance(bar["t"], msgpack.Timestamp)
        assert bar["t"].seconds % 60 == 0
    else:
        assert bar["t"].endswith(":00Z")


def test_keys_in_the_handshake_authenticate(quiet_url):
    headers = {"APCA-API-KEY-ID": "header", "APCA-API-SECRET-KEY": "secret"}
    with plain(quiet_url, **headers) as client:
        assert client.receive() == [{"T": "success", "msg": "authenticated"}]
        assert client.auth()[0]["code"] == 403


def test_who_does_not_authenticate_in_time_is_told_404_and_closed(open_sandbox):
    url = open_sandbox(auth_seconds=0.2).url
    with plain(url) as client:
        assert client.receive() == [{"T": "error", "code": 404, "msg": "auth timeout"}]
        with pytest.raises(ConnectionClosed):
            client.receive()


def test_one_connection_a_key_and_endpoint(quiet_url):
    with plain(quiet_url, authenticated=True):
        with plain(quiet_url) as second:
            refused = [{"T": "error", "code": 406, "msg": "connection limit exceeded"}]
            assert second.auth() == refused
            assert second.auth("another")[0]["T"] == "success"
        with plain(quiet_url, feed="sip") as elsewhere:
            assert elsewhere.auth()[0]["T"] == "success"

    def again():
        with plain(quiet_url) as later:
            return later.auth()[0]["T"] == "success"

    wait_for(again, "the place of the connection that ended")


def test_wrong_keys_are_402_and_may_be_mended_on_the_same_socket(open_sandbox):
    url = open_sandbox(key="PK1", secret="s3").url
    with plain(url) as client:
        assert client.auth("PK1", "s4") == [{"T": "error", "code": 402, "msg": "auth failed"}]
        assert client.auth("PK1", "s3")[0]["T"] == "success"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"action": "dance"}, 400),
        ({"action": "subscribe", "bars": ["spy!"]}, 400),
        ({"action": "subscribe", "bars": "SPY"}, 400),
        ({"action": "subscribe", "candles": ["SPY"]}, 410),
        ({"action": "subscribe", "bars": ["A", "B", "C", "D"]}, 405),
        ({"action": "auth", "key": "k", "secret": "s"}, 403),
    ],
)
def test_what_is_wrong_has_alpacas_number_and_changes_nothing(quiet_url, message, code):
    with plain(quiet_url, feed="delayed_sip") as client:
        assert client.auth(f"key {message}")[0]["T"] == "success"
        client.ask(action="subscribe", bars=["SPY"])
        assert client.ask(**message)[0]["code"] == code
        assert client.ask(action="subscribe")[0]["bars"] == ["SPY"]


def test_a_subscription_needs_an_authentication_and_a_message_a_syntax(quiet_url):
    with plain(quiet_url) as client:
        assert client.ask(action="subscribe", bars=["SPY"])[0]["code"] == 401
        client.send_raw("{")
        assert client.receive()[0]["code"] == 400


def test_the_free_plan_has_no_sip_and_30_symbols(open_sandbox):
    url = open_sandbox(free_plan=True).url
    with plain(url, feed="sip") as sip:
        refused = [{"T": "error", "code": 409, "msg": "insufficient subscription"}]
        assert sip.auth() == refused
    with plain(url, authenticated=True) as iex:
        many = [f"S{number}" for number in range(31)]
        assert iex.ask(action="subscribe", bars=many)[0]["code"] == 405
        assert len(iex.ask(action="subscribe", bars=many[:30])[0]["bars"]) == 30


def test_an_unknown_feed_is_a_404_of_the_handshake(quiet_url):
    with pytest.raises(InvalidStatus) as refused, plain(quiet_url, feed="nasdaq"):
        pass

    assert refused.value.response.status_code == 404


def test_a_subscription_of_many_frames_is_one_message(open_sandbox):
    client = open_sandbox(**FAST)
    many = [f"X{number:05}" for number in range(12_000)]  # over 32 KB, which alpaca-py splits
    with listening(client.url, feed="sip", bars=["SPY", *many]) as listener:
        wait_for(lambda: listener.kinds("b"), "a bar")

    assert {bar["S"] for bar in listener.got} == {"SPY"}


def test_a_client_that_does_not_read_is_told_407_and_cut_off():
    async def fall_behind():
        gone = asyncio.Event()
        connection = Connection("iex", None, gone.set, outgoing=asyncio.Queue(2))
        for number in range(4):
            connection.offer([{"T": "b", "n": number}])
        assert connection.outgoing.get_nowait() == [
            {"T": "error", "code": 407, "msg": "slow client"}
        ]
        assert connection.outgoing.empty()
        await asyncio.wait_for(gone.wait(), 60)

    asyncio.run(fall_behind())
