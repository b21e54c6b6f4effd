"""Numbers as people read them. What is missing or not finite is a dash, never a blank or a 0."""

import math
import unicodedata

#: Stands for a figure that does not exist.
NONE = "\N{EN DASH}"
_EXACT = 2.0**53  # whole numbers below are stored exactly


def share(value: float | None, digits: int = 2) -> str:
    """A part of a whole in percent.

    >>> share(0.1234), share(-0.05, 0), share(None) == NONE
    ('12.34%', '-5%', True)
    """
    return NONE if _missing(value) else f"{_whole(value, digits + 2):,.{digits}%}"


def change(value: float | None, digits: int = 2) -> str:
    """A gain or a loss in percent, with its sign.

    >>> change(0.1234), change(-0.5), change(-0.0), change(12.5)
    ('+12.34%', '-50.00%', '+0.00%', '+1,250.00%')
    """
    return NONE if _missing(value) else f"{_whole(value, digits + 2):+,.{digits}%}"


def ratio(value: float | None, digits: int = 2) -> str:
    """A number without a unit.

    >>> ratio(1.234), ratio(12345.6), ratio(float("nan")) == NONE
    ('1.23', '12,345.60', True)
    """
    return NONE if _missing(value) else f"{_whole(value, digits):,.{digits}f}"


def money(value: float | None) -> str:
    """An amount of money with cents; the unit stands beside it.

    >>> money(100000), money(-0.001)
    ('100,000.00', '0.00')
    """
    return ratio(value, 2)


def count(value: float | None) -> str:
    """A whole number.

    >>> count(1234), count(0)
    ('1,234', '0')
    """
    return ratio(value, 0)


def number(value: object) -> str:
    """Anything at all: what has no format of its own.

    >>> number(100000.0), number(0.123456), number("SPY"), number(True), number(None) == NONE
    ('100,000', '0.1235', 'SPY', 'yes', True)
    """
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < _EXACT
        return count(value) if whole or _missing(value) else f"{value:,.4g}"
    return str(value)


def printable(text: str) -> str:
    r"""The same text without the control characters that no page and no picture can hold.

    >>> printable("a\x00b\nc")
    'a b c'
    """
    return "".join(
        " " if unicodedata.category(letter) in {"Cc", "Cs", "Co", "Cn"} else letter
        for letter in text
    )


def _missing(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def _whole(value: float | None, digits: int) -> float:
    """Without the sign of a zero that only rounding made."""
    known = float(value or 0.0)
    return known if round(known, digits) else 0.0
