"""``python -m feature_service.page``: writes ``docs/feature-catalog.md``, every feature as it is declared."""

import sys
from pathlib import Path

from feature_service import catalog
from feature_service.registry import GROUPS, Feature

PAGE = Path(__file__).parents[1] / "docs" / "feature-catalog.md"

_HEAD = """# Every feature

Written by `python -m feature_service.page` from what the features declare; [features](features.md)
explains sets, versions and builds.

**Warm-up** is the number of rows at the beginning of a history that are null. **Reads** names columns
of bars, of the calendar, and other features (a name with `_` in front is there for others alone).
Features marked * have a meaning within a session only: bars of a day or a week leave them out.
"""


def text() -> str:
    """The page."""
    known = list(catalog.features().values())
    parts = [_HEAD]
    for group, about in GROUPS.items():
        own = [feature for feature in known if feature.group == group and not feature.is_hidden]
        if own:
            parts += [f"\n## {group}\n\nIn one sentence: {about}. {len(own)} features.\n", _TABLE]
            parts += [_row(feature) for feature in own]
    return "\n".join(part.rstrip("\n") for part in parts) + "\n"


_TABLE = """
| feature | unit | from, to | warm-up | also null | what it says | reads | source |
|---|---|---|---|---|---|---|---|"""


def _row(feature: Feature) -> str:
    low, high = (("" if bound is None else f"{bound:g}") for bound in feature.value_range)
    reads = ", ".join([*feature.inputs, *(f"`{name}`" for name in feature.parents)])
    name = f"`{feature.name}`" + (" *" if feature.intraday else "")
    cells = (
        name,
        feature.unit,
        f"{low}, {high}" if low or high else "",
        str(feature.warm_up),
        feature.null_rule,
        feature.about,
        reads,
        feature.source,
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Write it."""
    PAGE.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
