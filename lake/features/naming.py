"""What sets, their tables and columns are called, and what is said where there are none."""

import re
from collections.abc import Iterable

from lake.errors import InvalidError, MissingError

#: Of every row, beside the features.
KEYS: tuple[str, ...] = ("symbol", "timestamp", "session_date")
#: Columns that begin so are for builds alone.
HELD = "held_"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
_VERSION = re.compile(r"[0-9a-f]{64}", re.ASCII)


class FeatureSetNameError(InvalidError):
    """A name that no feature set can have."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"{self.name[:40]!r} cannot name a feature set. "
            "Use small letters, digits and _, beginning with a letter, like core."
        )


class FeaturesMissingError(MissingError):
    """No features of a set were built for a symbol."""

    def __init__(self, symbol: str, feature_set: str, source: str | None = None) -> None:
        super().__init__(symbol, feature_set, source)
        self.symbol, self.feature_set, self.source = symbol, feature_set, source

    def __str__(self) -> str:
        origin = f" from {self.source}" if self.source else ""
        return (
            f"No {self.feature_set} features of {self.symbol}{origin} are in the lake. "
            f"Build them with `barlake features build {self.symbol} --set {self.feature_set}`."
        )


def check_set_name(name: str) -> str:
    """The name itself.

    Raises:
        FeatureSetNameError: No feature set can be called that.
    """
    if not _NAME.fullmatch(name):
        raise FeatureSetNameError(name)
    return name


def table_of(name: str, version: str) -> str:
    """The table of a version of a set.

    Raises:
        FeatureSetNameError: The name or the version cannot be part of a table's name.
    """
    if not _VERSION.fullmatch(version):
        raise FeatureSetNameError(version)
    return f"features_{check_set_name(name)}_{version[:8]}"


def view_sql(name: str, table: str, columns: Iterable[str]) -> str:
    """The statement that lets the view of a set show one of its tables.

    Args:
        name: Of the set.
        table: Of one of its versions.
        columns: Of the table; those for builds alone are not shown.
    """
    keys = ("source", *KEYS)
    shown = [*keys, *(one for one in columns if one not in keys and not one.startswith(HELD))]
    chosen = ", ".join(f'"{one}"' for one in shown)
    return f'CREATE OR REPLACE VIEW "features_{name}" AS SELECT {chosen} FROM lake.main."{table}"'
