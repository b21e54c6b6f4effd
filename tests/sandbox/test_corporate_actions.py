"""What splits and dividends promise, in their own endpoint and in adjusted bars."""

from datetime import UTC, datetime

import pytest

from sandbox.control import Control

PATH = "/v1/corporate-actions"
#: As Alpaca's OpenAPI has them.
REQUIRED = {
    "reverse_splits": "symbol old_cusip new_cusip new_rate old_rate ex_date",
    "forward_splits": "symbol cusip new_rate old_rate ex_date",
    "unit_splits": "old_symbol old_cusip old_rate new_symbol new_cusip new_rate alternate_symbol "
    "alternate_cusip alternate_rate effective_date",
    "cash_dividends": "symbol cusip rate special foreign ex_date",
    "stock_dividends": "symbol cusip rate ex_date",
    "spin_offs": "source_symbol source_cusip source_rate new_symbol new_cusip new_rate ex_date",
    "cash_mergers": "acquiree_symbol acquiree_cusip rate effective_date",
    "stock_mergers": "acquirer_symbol acquirer_cusip acquirer_rate acquiree_symbol "
    "acquiree_cusip acquiree_rate effective_date",
    "stock_and_cash_mergers": "acquirer_symbol acquirer_cusip acquirer_rate acquiree_symbol "
    "acquiree_cusip acquiree_rate cash_rate effective_date",
    "redemptions": "symbol cusip rate",
    "name_changes": "old_symbol old_cusip new_symbol new_cusip",
    "worthless_removals": "symbol cusip",
    "rights_distributions": "source_symbol source_cusip new_symbol new_cusip rate ex_date "
    "payable_date",
    "partial_calls": "symbol cusip",
    "reorganizations": "",
}
YEAR = {"start": "2024-01-01", "end": "2024-12-31"}


def actions(client, **parameters):
    reply = client.get(PATH, **(YEAR | parameters))
    assert reply.status_code == 200, reply.text
    return reply.json()["corporate_actions"]


def test_the_split_of_splt_is_told(client):
    (split,) = actions(client, symbols="SPLT")["forward_splits"]

    assert (split["symbol"], split["new_rate"], split["old_rate"]) == ("SPLT", 4, 1)
    assert split["ex_date"] == split["process_date"] == "2024-10-15"


def test_raw_prices_jump_at_the_split_and_adjusted_ones_do_not(client):
    days = ("2024-10-14", "2024-10-15")
    raw = client.bars("SPLT", *days, timeframe="1Day")
    adjusted = client.bars("SPLT", *days, timeframe="1Day", adjustment="split")

    assert 3.2 < raw[0]["c"] / raw[1]["o"] < 4.8
    assert 0.8 < adjusted[0]["c"] / adjusted[1]["o"] < 1.2
    assert adjusted[1] == raw[1]
    assert adjusted[0]["c"] == pytest.approx(raw[0]["c"] / 4)
    assert adjusted[0]["v"] == pytest.approx(raw[0]["v"] * 4, abs=2000)
    assert adjusted[0]["n"] == raw[0]["n"]


def test_minutes_are_adjusted_alike(client):
    minute = ("SPLT", "2024-10-14T14:00:00Z", "2024-10-14T14:00:00Z")
    (raw,), (adjusted,) = client.bars(*minute), client.bars(*minute, adjustment="split")

    assert adjusted["o"] == pytest.approx(raw["o"] / 4, abs=1e-4)
    assert adjusted["v"] == raw["v"] * 4


def test_a_split_that_has_not_happened_adjusts_nothing(open_sandbox):
    before = open_sandbox(now=datetime(2024, 10, 14, 20, 30, tzinfo=UTC))
    days = ("2024-10-10", "2024-10-14")

    assert before.bars("SPLT", *days, timeframe="1Day", adjustment="split") == before.bars(
        "SPLT", *days, timeframe="1Day"
    )
    announced = actions(before, symbols="SPLT")
    assert announced["forward_splits"][0]["ex_date"] == "2024-10-15"


def test_dividends_are_paid_quarterly_after_their_ex_date(client):
    dividends = actions(client, symbols="IBM")["cash_dividends"]

    assert len(dividends) == 4
    assert all(d["process_date"] > d["ex_date"] for d in dividends)
    assert all(0.2 < d["rate"] < 5 for d in dividends)


def test_dividend_adjustment_lowers_older_prices_by_the_part_paid(client):
    dividends = actions(client, symbols="IBM", start="2024-08-01", end="2024-09-30")
    (dividend,) = dividends["cash_dividends"]
    before = ("2024-08-05", dividend["ex_date"])
    raw = client.bars("IBM", *before, timeframe="1Day")
    adjusted = client.bars("IBM", *before, timeframe="1Day", adjustment="dividend")

    later = client.bars("IBM", "2024-11-08", "2024-11-08", timeframe="1Day")  # the next one's eve
    november = actions(client, symbols="IBM", start="2024-12-01")["cash_dividends"][0]["rate"]
    factor = (1 - dividend["rate"] / raw[-2]["c"]) * (1 - november / later[0]["c"])
    assert adjusted[-2]["c"] == pytest.approx(raw[-2]["c"] * factor, abs=1e-3)
    assert adjusted[-2]["v"] == raw[-2]["v"]
    everything = client.bars("IBM", *before, timeframe="1Day", adjustment="all")
    assert everything == adjusted
    both = client.bars("IBM", *before, timeframe="1Day", adjustment="split,dividend")
    assert both == adjusted


def test_pages_of_actions_are_the_whole(client):
    whole = client.get(PATH, start="2023-01-01", end="2023-12-31", limit=1000).json()
    ids, token, pages = [], None, 0
    while True:
        page = client.get(PATH, start="2023-01-01", end="2023-12-31", limit=7, page_token=token)
        groups = page.json()["corporate_actions"]
        assert sum(map(len, groups.values())) <= 7
        ids += [action["id"] for group in groups.values() for action in group]
        token, pages = page.json()["next_page_token"], pages + 1
        if token is None:
            break

    assert whole["next_page_token"] is None
    expected = [action["id"] for group in whole["corporate_actions"].values() for action in group]
    assert sorted(ids) == sorted(expected)
    assert len(set(ids)) == len(ids) > 60
    assert pages > 9


def test_there_are_more_actions_than_a_request_can_bring(client):
    whole = client.get(PATH, start="2016-01-01", end="2024-12-31", limit=1000).json()

    assert whole["next_page_token"] is not None
    assert sum(map(len, whole["corporate_actions"].values())) == 1000


def test_there_is_one_of_every_type_with_its_required_fields(client):
    found = actions(client, start="2023-01-01", end="2024-12-31", limit="1000")

    assert set(found) == set(REQUIRED)
    for kind, fields in REQUIRED.items():
        for action in found[kind]:
            assert {"id", "process_date", *fields.split()} <= set(action), kind


def test_some_actions_are_told_only_after_their_process_date(open_sandbox):
    late = {"start": "2023-03-14", "end": "2023-03-14", "types": "rights_distribution"}
    client = open_sandbox(now=datetime(2023, 3, 15, 15, tzinfo=UTC))
    assert actions(client, **late) == {}
    Control(client.url).set_clock(advance=9 * 86_400)
    assert len(actions(client, **late)["rights_distributions"]) == 1


def test_a_fault_makes_actions_late(open_sandbox):
    client = open_sandbox(faults='{"late_action": {"rate": 1, "delay": 864000}}')
    week = {"start": "2024-11-25", "end": "2024-12-03"}
    assert actions(client, **week) == {}
    Control(client.url).set_clock(advance=864_000)
    assert len(actions(client, **week)["cash_dividends"]) >= 3


def test_a_renamed_company_has_its_whole_history_under_the_name_of_the_day(client):
    (change,) = actions(client, types="name_change")["name_changes"]
    assert (change["old_symbol"], change["new_symbol"]) == ("OLDN", "NEWN")
    assert change["process_date"] == "2024-09-03"

    range_ = ("2024-08-29", "2024-09-05")
    whole = client.bars("NEWN", *range_, timeframe="1Day")
    assert len(whole) == 5
    assert client.bars("NEWN", *range_, timeframe="1Day", asof="2024-09-04") == whole
    assert client.bars("NEWN", *range_, timeframe="1Day", asof="2024-09-03") == whole[2:]
    assert client.bars("NEWN", *range_, timeframe="1Day", asof="-") == whole[2:]
    assert client.bars("OLDN", *range_, timeframe="1Day", asof="2024-09-02") == whole
    assert client.bars("OLDN", *range_, timeframe="1Day") == whole[:2]
    assert client.bars("OLDN", *range_, timeframe="1Day", asof="-") == whole[:2]


def test_pages_of_a_renamed_company_go_on_as_others_do(client):
    asked = {"symbols": "NEWN,SPY", "start": "2024-08-29", "end": "2024-09-05"}
    paged = [pair for page in client.pages(**asked, limit=777) for pair in page]

    assert paged == [pair for page in client.pages(**asked, limit=10_000) for pair in page]
    assert {symbol for symbol, _ in paged} == {"NEWN", "SPY"}


def test_a_rename_does_not_change_what_truth_is(client):
    control = Control(client.url)
    range_ = {
        "start": datetime(2024, 9, 2, tzinfo=UTC),
        "end": datetime(2024, 9, 4, tzinfo=UTC),
    }
    bars = client.bars("NEWN", "2024-09-02T00:00:00Z", "2024-09-04T00:00:00Z")

    assert control.truth("NEWN", **range_)["bars"] == bars
    assert control.truth("OLDN", **range_)["bars"] == []


def test_types_ids_and_cusips_filter(client):
    assert set(actions(client, types="forward_split")) == {"forward_splits"}
    assert set(actions(client, types="cash_dividend,reverse_split")) == {"cash_dividends"}
    split = actions(client, symbols="SPLT")["forward_splits"][0]
    by_id = client.get(PATH, ids=split["id"]).json()["corporate_actions"]
    assert by_id == {"forward_splits": [split]}
    assert actions(client, cusips=split["cusip"]) == {"forward_splits": [split]}


def test_the_range_is_inclusive_and_today_by_default(client):
    day = {"start": "2024-10-15", "end": "2024-10-15", "types": "forward_split"}
    assert len(actions(client, **day)["forward_splits"]) == 1
    assert client.get(PATH).json() == {"corporate_actions": {}, "next_page_token": None}


@pytest.mark.parametrize(
    "wrong",
    [
        {"types": "split"},
        {"start": "soon"},
        {"start": "2025-01-01", "end": "2024-01-01"},
        {"limit": "1001"},
        {"page_token": "bm90aGluZw=="},
        {"page_token": "?"},
        {"sort": "sideways"},
    ],
)
def test_a_malformed_parameter_is_a_400(client, wrong):
    assert client.get(PATH, **(YEAR | wrong)).status_code == 400
