"""What ``barlake export`` and ``barlake import`` promise in a shell."""

import json

import polars as pl

import lake
from tests.cli.conftest import is_one_sentence


def test_an_export_goes_into_another_lake(barlake, spy_home, tmp_path):
    out = tmp_path / "out"
    told = barlake("export", str(out), home=spy_home)
    assert (told.code, told.err) == (0, ""), told
    assert told.out == f"3 files written to {out} (1,167 bars of 1 symbol), 0 unchanged, 0 removed.\n"  # fmt: skip

    repeated = json.loads(barlake("export", str(out), "--verify", "--json", home=spy_home).out)
    assert (repeated["written"], repeated["unchanged"], repeated["mended"]) == (0, 3, 0)

    other = tmp_path / "other"
    answer = barlake("import", str(out), "--source", "copy", "--json", home=other)
    assert answer.code == 0, answer
    found = json.loads(answer.out)
    assert (found["source"], found["new"], found["first"]) == ("file:copy", 1167, "2024-11-04")
    with lake.open(spy_home) as one, lake.open(other) as two:
        assert two.bars("SPY").drop("source").equals(one.bars("SPY").drop("source"))


def test_a_dry_run_writes_nothing_and_makes_no_lake(quick, tmp_path):
    file = tmp_path / "bars.csv"
    file.write_text("Time,Open,High,Low,Last,Vol,Note\n2024-11-04 09:30,1,2,1,1,5,x\n")
    answer = quick("import", str(file), "--source", "mine", "--symbol", "spy", "--map", "Last=close",
                   "--zone", "America/New_York", "--dry-run", home=tmp_path / "none")  # fmt: skip

    assert answer.code == 0, answer
    assert answer.out.startswith("1 bar read of SPY, 2024-11-04 to 2024-11-04.\n0 bars would be")
    assert answer.err == "Columns that are not used: Note.\n"
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_is_one_sentence(quick, spy_home, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    (tmp_path / "bars.csv").write_text("time,open\n2024-11-04 09:30,1\n")
    (tmp_path / "zoned.csv").write_text("time,o,h,l,c,v\n2024-11-04 09:30,1,1,1,1,1\n")
    for arguments, said in (
        (("export", "full"), "Name an empty folder"),
        (("export", "out", "MSFT"), "barlake ingest MSFT"),
        (("export", "out", "--start", "2024-11-05", "--end", "2024-11-04"), "Swap"),
        (("export", "out", "--layout", "symbol", "--start", "2024-11-05"), "all of its history"),
        (("import", "none.csv", "--source", "a"), "There is no file none.csv"),
        (("import", "bars.csv", "--source", "a", "--symbol", "SPY"), "lacks high, low, close"),
        (("import", "bars.csv", "--source", "alpaca:iex"), "file:kaggle"),
        (("import", "bars.csv", "--source", "a", "--map", "close"), "is no mapping"),
        (("import", "bars.csv", "--source", "a", "--dataset", "bars_1w"), "not a dataset"),
        (("import", "zoned.csv", "--source", "a", "--symbol", "SPY"), "--zone"),
        (("import", "zoned.csv", "--source", "a", "--symbol", "../SPY"), "not a ticker"),
    ):
        answer = quick(*arguments, home=spy_home)
        assert is_one_sentence(answer), (arguments, answer)
        assert said in answer.err, arguments


def test_files_of_an_export_are_read_by_polars_as_they_are(quick, spy_home, tmp_path):
    assert quick("export", "out", "spy", "--names", "hive", home=spy_home).code == 0

    lazy = pl.scan_parquet(tmp_path / "out" / "**" / "*.parquet", hive_partitioning=True)

    assert lazy.filter(pl.col("dt") == pl.date(2024, 11, 5)).collect().height == 390
