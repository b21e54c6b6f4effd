"""Qlib on the same daily bars: prints a JSON object of seconds and peak memory, and keeps some symbols' values.

python -m bench.peers.qlib_factors BARS.parquet FOLDER fourteen|alpha158 PROCESSES VALUES.parquet
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from bench.factors import FOURTEEN

FIELDS = ("open", "high", "low", "close", "volume", "vwap")
KEPT = 20


def main() -> None:
    source, folder, which, processes, target = sys.argv[1:]
    days = _filled(Path(source), Path(folder))

    import qlib
    from qlib.contrib.data.loader import Alpha158DL
    from qlib.data import D

    qlib.init(provider_uri=folder, region="us", kernels=int(processes), logging_level="ERROR")
    if which == "fourteen":
        names, fields = list(FOURTEEN), list(FOURTEEN.values())
    else:
        fields, names = Alpha158DL.get_feature_config()
    begun = time.perf_counter()
    found = D.features(D.instruments("all"), fields, str(days[0]), str(days[-1]), freq="day")
    seconds = time.perf_counter() - begun
    # What the processes that Qlib starts need besides is not in it.
    told = {"seconds": seconds, "megabytes": _peak()}
    found.columns = names
    symbols = found.index.get_level_values("instrument").unique()[:KEPT]
    found.loc[symbols].reset_index().to_parquet(target)
    sys.stdout.write(json.dumps(told))


def _filled(source: Path, folder: Path) -> list[object]:
    """Qlib's files of the bars; all symbols have a bar on every day."""
    bars = pd.read_parquet(source)
    days = sorted(bars["session_date"].unique())
    if folder.exists():
        return days
    (folder / "calendars").mkdir(parents=True)
    (folder / "calendars" / "day.txt").write_text("".join(f"{day}\n" for day in days))
    (folder / "instruments").mkdir()
    symbols = bars["symbol"].unique()
    lines = (f"{symbol}\t{days[0]}\t{days[-1]}\n" for symbol in symbols)
    (folder / "instruments" / "all.txt").write_text("".join(lines))
    for symbol, own in bars.groupby("symbol"):
        place = folder / "features" / symbol.lower()
        place.mkdir(parents=True)
        for field in FIELDS:
            values = np.concatenate([[0], own[field].to_numpy()]).astype("<f4")
            values.tofile(place / f"{field}.day.bin")
    return days


def _peak() -> float:
    """Of this process, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


if __name__ == "__main__":
    main()
