"""The journal: jobs, who works on them, logs and heartbeats, in a plain SQL database.

Many small writes do not belong into a lakehouse; they go to SQLite in WAL mode beside it, or to
PostgreSQL by URL. Importing this package loads SQLAlchemy, so ``import lake`` does not.
"""

from lake.journal.journal import Journal
from lake.journal.records import (
    Agent,
    Job,
    JobMissingError,
    JournalBusyError,
    JournalVersionError,
    LeaseLostError,
)

__all__ = [
    "Agent",
    "Job",
    "JobMissingError",
    "Journal",
    "JournalBusyError",
    "JournalVersionError",
    "LeaseLostError",
]
