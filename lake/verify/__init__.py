"""Verifying a lake: every promise it makes, checked on what is stored, at rest or in use.

>>> from lake.verify import Finding
>>> print(Finding("key twice", "bars_1m SPY", "SPY has one minute twice.").sentence)
SPY has one minute twice.
"""

from lake.verify.hashes import content_hashes, hash_sessions
from lake.verify.repair import Repaired, repair
from lake.verify.report import Finding, Report
from lake.verify.run import verify

__all__ = [
    "Finding",
    "Repaired",
    "Report",
    "content_hashes",
    "hash_sessions",
    "repair",
    "verify",
]
