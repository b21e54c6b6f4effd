"""What ``barlake statistics`` promises."""

import json

from tests.cli.conftest import is_one_sentence


def test_figures_of_a_symbol_are_a_line_or_json(quick, spy_home):
    table = quick("statistics", "SPY", "--index", "spy", home=spy_home)
    (told,) = json.loads(quick("statistics", "SPY", "--json", home=spy_home).out)

    assert table.code == 0
    assert f"{told['total_return']:+.2%}" in table.out
    assert (told["symbol"], told["start"], told["sessions"]) == ("SPY", "2024-11-04", 2)
    assert told["beta"] is None


def test_what_cannot_be_told_is_a_sentence(quick, spy_home):
    for arguments, words in (
        (("NOPE",), "barlake ingest NOPE"),
        (("SPY", "--start", "2024-11-07"), "one session"),
        (("SPY", "--adjust", "twice"), "dividend, all"),
        (("SPY", "--index", "NOPE"), "barlake ingest NOPE"),
    ):
        answer = quick("statistics", *arguments, home=spy_home)
        assert is_one_sentence(answer), answer
        assert words in answer.err
