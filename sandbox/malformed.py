"""Bars that break a rule, as dictionaries and as text."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from sandbox.bars import Block

HALF_MINUTE = "30Z"


def malformed(bar: Mapping[str, Any], rule: str) -> dict[str, Any]:
    """A bar of the protocol that breaks a rule of :data:`sandbox.faults.MALFORMED`.

    The time of a misaligned bar is text here; the stream moves its own.
    """
    spoilt = dict(bar)
    if rule == "null_price":
        spoilt["c"] = None
    elif rule == "text_price":
        spoilt["o"] = "n/a"
    elif rule == "nan_price":
        spoilt["c"] = float("nan")
    elif rule == "missing_count":
        del spoilt["n"]
    elif rule == "missing_vwap":
        del spoilt["vw"]
    elif rule == "low_above_high":
        spoilt["h"], spoilt["l"] = spoilt["l"], round(spoilt["h"] + 0.01, 4)
    elif rule == "negative_volume":
        spoilt["v"] = -spoilt["v"] or -1
    elif rule == "zero_price":
        spoilt |= {"o": 0, "h": 0, "l": 0, "c": 0}
    elif isinstance(spoilt["t"], str):
        spoilt["t"] = spoilt["t"].replace("00Z", HALF_MINUTE)
    return spoilt


def spoil(block: Block, broken: Mapping[int, str]) -> Block:
    """A block whose bars break rules, by their openings."""
    rows = []
    for row, time in enumerate(block.time.tolist()):
        text = block.cut(row, row + 1)
        rule = broken.get(time)
        if rule is not None:
            bar = malformed(orjson.loads(text), rule)
            text = json.dumps(bar, separators=(",", ":")).encode()  # it writes NaN, as asked for
        rows.append(text)
    ends = np.cumsum([len(text) + 1 for text in rows]) - 1
    return Block(block.time, ends.astype(np.int64), b",".join(rows))
