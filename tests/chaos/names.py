"""The names of the works, apart from them: naming them makes no frames."""

#: Every work of ``tests.chaos.works``.
NAMES = (
    "new bars",
    "corrections and withdrawals",
    "bad bars",
    "live bars",
    "daily bars",
    "corporate actions",
    "features",
    "models and tags",
    "runs and searches",
    "pins",
    "gathering live bars",
    "moving live bars",
    "rewriting",
    "merging",
    "expiry",
    "cleanup and orphans",
    "retention",
    "a whole round",
    "deleting a symbol",
    "backup",
    "restore",
    "export",
    "import",
    "making a lake",
    "upgrading a lake",
)
#: Those of which ``make test`` tries a few points.
SAMPLE = ("corrections and withdrawals",)
