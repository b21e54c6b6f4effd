"""Loops that must be loops, compiled by Numba; they let other threads run meanwhile.

The machine code of a function is kept beside its source, or in the user's cache, and is made again
when that file changes. A compiled function calls only compiled functions of its own file, for Numba
would not see a change in another.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

#: Numbers as features are computed from them; NaN stands for null.
Values = NDArray[np.float64]
F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile a function when it is first called; arithmetic stays as written, to the bit.

    Neither are sums put into another order nor products fused with sums, so that every processor
    gives the same bits. A division by zero is as numpy's. Long columns that it fills are handed to it:
    numpy asks for memory in large pages, Numba does not.
    """
    from numba import njit

    try:
        made = njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # nowhere to keep the machine code: it is made in each process
        made = njit(nogil=True, error_model="numpy")(function)
    return cast(F, made)


def given(values: Values) -> Values:
    """Values as all compiled functions take them, so that each is compiled once: in one piece, read-only."""
    found = np.ascontiguousarray(values, dtype=np.float64).view()
    found.flags.writeable = False
    return found
