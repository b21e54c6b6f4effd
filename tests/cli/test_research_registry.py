"""Models, simulations and searches in the shell: what is kept, shown, compared, tagged and written."""

import io
import json
import sys
import xml.etree.ElementTree as ET
from datetime import date

import polars as pl
import pytest

import lake
from strategy_service.plans import read_plan
from tests.cli.conftest import is_one_sentence
from tests.feature_service.walks import put, random_walk

PNG = b"\x89PNG\r\n\x1a\n"
PLAN = '[strategy]\nname = "sma_cross"\n[strategy.parameters]\nfast = 5\nslow = 30\n'
TRAIN = ("train", "--symbols", "spy,QQQ", "--set", "momentum", "--test-share", "0.4")
CROSS = ("--strategy", "sma_cross", "--param", "fast=5", "--param", "slow=30")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Three weeks of two symbols."""
    home = tmp_path_factory.mktemp("registry")
    with lake.open(home, create=True) as opened:
        for seed, symbol in enumerate(("SPY", "QQQ")):
            put(opened, random_walk(symbol, date(2024, 6, 3), date(2024, 6, 24), seed=seed))
    return home


@pytest.fixture
def shell(quick, home):
    """Commands in this process, on that lake."""

    def run(*arguments: str):
        return quick(*arguments, home=home)

    return run


@pytest.fixture(scope="module")
def known():
    """What was made by the first test that asked for it."""
    return {}


@pytest.fixture
def model(shell, known):
    """The id of a model."""
    if "model" not in known:
        known["model"] = told(shell(*TRAIN, "--json"))["model_id"]
    return known["model"]


@pytest.fixture
def runs(shell, known, model):
    """The ids of its two simulations."""
    if "runs" not in known:
        found = told(shell("simulate", model, "--json"))
        known["runs"] = [one["simulation_id"] for one in found]
    return known["runs"]


@pytest.fixture
def search(shell, known):
    """The id of a search of four trials."""
    if "search" not in known:
        known["search"] = told(shell(*SEARCH, "--json"))["search_id"]
    return known["search"]


SEARCH = (
    "search", "SPY", "--strategy", "sma_cross", "--set", "fast=5,10", "--set", "slow=30,60",
    "--folds", "2", "--processes", "1",
)  # fmt: skip


def told(answer):
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


def test_a_recipe_of_many_options_is_the_recipe_of_the_model(shell):
    answer = shell(
        *TRAIN[:-2], "--label", "above_5bp_15", "--model", "ridge", "--cv",
        "walk-forward:folds=2", "--selector", "k_best:10", "--weights", "balanced", "--calibration",
        "sigmoid", "--join", "asof:5", "--param", "alpha=2.5", "--source", "spy=sandbox:iex",
        "--start", "2024-06-04", "--end", "2024-06-21", "--seed", "3", "--json",
    )  # fmt: skip
    found = told(answer)
    recipe, params = found["params"]["recipe"], found["params"]

    assert (found["primary_symbol"], found["context_symbols"]) == ("SPY", ["QQQ"])
    assert (recipe["label"], recipe["model"]) == ("above_5bp_15", "ridge")
    assert params["parameters"]["alpha"] == 2.5
    assert (recipe["seed"], recipe["selector"], recipe["weights"]) == (3, "k_best:10", "balanced")
    assert (recipe["calibration"], recipe["join"]) == ("sigmoid", "asof:5")
    assert params["sources"] == {"SPY": "sandbox:iex", "QQQ": "sandbox:iex"}
    assert params["train_start"] >= "2024-06-04"
    assert params["test_end"] < "2024-06-22"
    assert found["metrics"]["total"]["tests"] == 2


def test_a_model_is_listed_shown_tagged_compared_and_deleted(shell, model):
    other = told(shell(*TRAIN, "--seed", "9", "--json"))["model_id"]
    assert "is champion now" in shell("models", "tag", model, "champion").out
    assert shell("models", "tag", model, "candidate").code == 0
    listed = {one["model_id"]: one["tags"] for one in told(shell("models", "--json"))}
    shown = shell("models", "show", model)

    assert (listed[model], listed[other]) == (["candidate", "champion"], [])
    assert told(shell("models", "show", model, "--json"))["tags"] == ["candidate", "champion"]
    assert "candidate and champion" in shown.out
    assert "out of sample" in shown.out

    assert shell("models", "tag", other, "champion").code == 0
    assert shell("models", "untag", model, "candidate").code == 0
    listed = {one["model_id"]: one["tags"] for one in told(shell("models", "list", "--json"))}
    assert (listed[model], listed[other]) == ([], ["champion"])
    table = shell("models").out
    assert "champion" in next(line for line in table.splitlines() if line.startswith(other))

    compared = told(shell("models", "compare", model, other, "--json"))
    assert [(one["model_id"], one["seed"]) for one in compared] == [(model, "0"), (other, "9")]
    assert "test_auc" in shell("models", "compare", model, other).out

    assert shell("models", "delete", other, "--yes").code == 0
    gone = shell("models", "show", other)
    assert is_one_sentence(gone), gone
    assert "barlake models" in gone.err


def test_a_model_is_not_deleted_without_a_yes(shell, model, monkeypatch):
    for said in ("n\n", ""):  # no; and nobody there
        monkeypatch.setattr(sys, "stdin", io.StringIO(said))
        assert shell("models", "delete", model).code == 130

    assert shell("models", "show", model).code == 0


def test_reports_are_one_page_or_one_picture(shell, model, runs, search, tmp_path):
    picture = tmp_path / "search.png"
    for words, more in (
        (("models", "show", model), ()),
        (("simulations", "show", *runs), ()),
        (("searches", "show", search), ("--png", str(picture))),
    ):
        page = tmp_path / f"{words[0]}.html"
        answer = shell(*words, "--html", str(page), *more)

        assert answer.code == 0, answer.err
        assert answer.out
        assert f"The report is in {page}." in answer.err
        text = page.read_text()
        assert words[-1] in text
        drawings = text.split("<svg")[1:]
        assert drawings
        for drawing in drawings:  # each is well formed
            ET.fromstring(f"<svg{drawing.partition('</svg>')[0]}</svg>")
    assert picture.read_bytes().startswith(PNG)


def test_a_model_and_a_walk_and_a_plan_are_simulated(shell, model, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    walk = shell("simulate", model, "--retrain", "4", "--mode", "realistic", "--json")
    ruled = shell("simulate", *CROSS, "--symbols", "SPY", "--json")
    planned = shell("simulate", "--plan", str(plan), "--symbols", "spy", "--json")
    dear = shell(
        "simulate", "--plan", str(plan), "--symbols", "SPY,QQQ", "--mode", "realistic", "--cost",
        "spread_bps=4", "--cost", "regulatory=true", "--participation", "0.1", "--cash", "5000",
        "--json",
    )  # fmt: skip

    (one,) = told(walk)
    assert one["params"]["retrain"] == 4
    assert one["model_id"] == model
    assert "trained anew" in one["strategy"]
    assert [run["mode"] for run in told(ruled)] == ["as_specified", "realistic"]
    ids = [[run["simulation_id"] for run in told(each)] for each in (ruled, planned)]
    assert ids[0] == ids[1]
    (two,) = told(dear)
    assert (two["symbol"], two["params"]["cash"]) == ("SPY+QQQ", 5_000.0)
    assert (two["params"]["spread_bps"], two["params"]["participation"]) == (4.0, 0.1)
    assert two["params"]["regulatory"] is True


def test_a_simulation_is_shown_and_exported_to_the_last_order(shell, runs, tmp_path):
    table = shell("simulations", "show", *runs).out
    folder = tmp_path / "deep" / "run"
    answer = shell("simulations", "export", runs[1], str(folder))

    assert answer.code == 0, answer.err
    assert table.count("buy and hold") == 2
    assert "at doubled costs" in table
    assert {path.name for path in folder.iterdir()} == {"equity.csv", "orders.csv", "facts.json"}
    facts = json.loads((folder / "facts.json").read_text())
    curve = pl.read_csv(folder / "equity.csv")
    orders = pl.read_csv(folder / "orders.csv")
    figures = facts["metrics"]["strategy"]
    assert facts["simulation_id"] == runs[1]
    assert curve["equity"][-1] == pytest.approx(figures["final_equity"], rel=1e-12)
    assert orders["costs"].sum() == pytest.approx(figures["costs"], rel=1e-9)
    assert orders.filter(purpose="entry").height == figures["trades"]
    assert curve["timestamp"][0].endswith("Z")


def test_a_search_is_listed_shown_and_its_best_plan_is_simulated(shell, search, tmp_path):
    best = shell("searches", "show", search, "--plan").out
    (listed,) = (one for one in told(shell("searches", "--json")) if one["search_id"] == search)
    shown = told(shell("searches", "show", search, "--json"))

    assert listed["metrics"]["tried"] == len(shown["trials"]) == 4
    plan = tmp_path / "best.toml"
    plan.write_text(best)
    assert read_plan(best).strategy.parameters["slow"] in (30, 60)
    run = ("simulate", "--plan", str(plan), "--symbols", "SPY", "--mode", "realistic", "--json")
    (simulated,) = told(shell(*run))
    expected = max(one["sharpe"] for one in shown["trials"] if one["sharpe"] is not None)
    assert simulated["metrics"]["strategy"]["sharpe"] == pytest.approx(expected, rel=1e-9)
    for words in (("searches",), ("searches", "show", search), SEARCH):
        assert search in shell(*words).out  # the last finds it: the same again is no other search


REFUSED = [
    ("train SPY --cv walk-forwrd", "walk-forward"),
    ("train SPY --cv holdout --test-share 0.3", "split or test_share"),
    ("train SPY --param C", "NAME=VALUE"),
    ("train SPY --param C=1 --param C=2", "twice"),
    ("train SPY --param Q=3", "'Q'"),
    ("train SPY --source VIX=file:cboe", "VIX"),
    ("train SPY --join sometimes", "asof"),
    ("train SPY SPY", "twice"),
    ("train SPY --model os:system", "class"),
    ("train SPY --start 2199-01-04", "in the future"),
    ("train SPY --html none/model.html", "--html"),
    ("train SPY --png .", "--png"),
    ("models show nope", "barlake models"),
    ("models tag nope champion", "barlake models"),
    ("models tag nope best", "candidate or champion"),
    ("models compare nope", "at least two"),
    ("models delete nope --yes", "barlake models"),
    ("simulate nope", "barlake train"),
    ("simulate --strategy sma_cros --symbols SPY", "sma_cross"),
    ("simulate --strategy sma_cross", "symbols"),
    ("simulate --strategy sma_cross --symbols NOPE", "barlake ingest NOPE"),
    ("simulate --strategy sma_cross --symbols SPY --param fats=3", "fast"),
    ("simulate --strategy sma_cross --symbols SPY --param fast=90 --param slow=30", "below slow"),
    ("simulate --param fast=3", "strategy"),
    ("simulate nope --strategy sma_cross --symbols SPY", "model_id"),
    ("simulate --strategy sma_cross --symbols SPY --retrain 5", "retrain"),
    ("simulate --strategy sma_cross --symbols SPY --source SPY=nowhere", "nowhere"),
    ("simulate --plan nowhere.toml --symbols SPY", "No such file"),
    ("simulate --plan broken.toml --symbols SPY", "TOML"),
    ("simulate --plan noise.toml --symbols SPY", "no text"),
    ("simulate --plan broken.toml --strategy sma_cross", "either a plan"),
    ("simulate --cost slippage_bps=-1", "from 0"),
    ("simulate --cost slippage_bps=lots", "is a number"),
    ("simulate --cost slipage_bps=1", "slippage_bps"),
    ("simulate --cost regulatory=7", "true or false"),
    ("simulate --cash 0", "above 0"),
    ("simulate --participation 2", "0 to 1"),
    ("simulate --mode fast", "realistic"),
    ("simulate --retrain 0", "--retrain"),
    ("simulate --window sliding", "expanding"),
    ("simulate --start 2199-01-04", "in the future"),
    ("simulate --html none/sheet.html", "--html"),
    ("simulations show nope", "barlake simulations"),
    ("simulations export nope there", "barlake simulations"),
    ("search SPY --strategy sma_cross", "fast"),
    ("search SPY --set fast=1:5:1", "sma_cross"),
    ("search SPY --strategy sma_cross --set fats=1:5:1", "fast"),
    ("search SPY --strategy sma_cross --set fast=5:1:1", "5:50:5"),
    ("search NOPE --strategy sma_cross --set fast", "barlake ingest NOPE"),
    ("search SPY --strategy sma_cross --set fast --method magic", "optuna"),
    ("search SPY --strategy sma_cross --set fast --folds -3", "folds"),
    ("search SPY --strategy sma_cross --set fast --png none/x.png", "--png"),
    ("searches show nope", "barlake searches"),
]


@pytest.mark.parametrize(("line", "words"), REFUSED, ids=[line for line, _ in REFUSED])
def test_a_slip_of_the_pen_is_one_sentence(shell, model, tmp_path, line, words):
    (tmp_path / "broken.toml").write_text("strategy = [")
    (tmp_path / "noise.toml").write_bytes(bytes(range(256)))
    answer = shell(*line.split())

    assert is_one_sentence(answer), answer
    assert words in answer.err


def test_a_slip_of_the_pen_is_no_trial(shell, model):
    def ledgers():
        return [len(told(shell(name, "--json"))) for name in ("simulations", "searches")]

    before = ledgers()
    shell("simulate", "--strategy", "sma_cross", "--symbols", "NOPE")
    shell("simulate", model, "--retrain", "0")
    shell("search", "NOPE", "--strategy", "sma_cross", "--set", "fast")

    assert ledgers() == before


def test_what_is_empty_says_how_to_begin(quick, spy_home):
    for words, hint in (
        ("models", "barlake train"),
        ("simulations", "barlake simulate"),
        ("searches", "barlake search"),
    ):
        assert hint in quick(words, home=spy_home).out
        assert json.loads(quick(words, "--json", home=spy_home).out) == []
