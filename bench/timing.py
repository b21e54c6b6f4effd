"""How long something takes, as medians of many calls."""

import time
from collections.abc import Callable
from statistics import median


def milliseconds(work: Callable[[], object], calls: int = 15) -> float:
    """The median time of some calls, after one that warms up."""
    work()
    times = []
    for _ in range(calls):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return median(times) * 1000
