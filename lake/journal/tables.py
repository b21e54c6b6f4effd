"""The journal's tables as SQLAlchemy sees them; ``migrations/`` is what makes them.

Only types that SQLite and PostgreSQL share. All times are UTC.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

#: The newest revision in ``migrations/versions``; a journal that has it needs no migration.
HEAD = "0001"

metadata = MetaData()

#: SQLite counts rows by itself only in a column that is exactly INTEGER.
Number = BigInteger().with_variant(Integer(), "sqlite")


class UtcTime(TypeDecorator[datetime]):
    """A point in time: aware in, aware UTC out. SQLite, which knows no zones, keeps naive UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware in any zone to UTC."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Whatever the database gives to aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


jobs = Table(
    "jobs",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("kind", String(32), nullable=False),
    Column("source", String(64), nullable=False),
    Column("symbol", String(32), nullable=False),
    Column("first_session", Date),
    Column("last_session", Date),
    Column("params", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("error", Text),
    Column("result", JSON(none_as_null=True)),
    Column("trace_id", String(64), nullable=False),
    Column("worker", String(128)),
    Column("holder", String(256)),  # the process that holds the lease, so that its death is seen
    Column("lease_until", UtcTime),
    Column("crashes", Integer, nullable=False),  # workers that died on it since its last progress
    Column("created_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    Index("jobs_by_state", "state", "number"),
    Index("jobs_by_symbol", "symbol", "kind", "number"),
)

#: Which sessions of which work are queued or running; a row lives as long as its job is unfinished.
claims = Table(
    "claims",
    metadata,
    Column("job_id", String(32), ForeignKey("jobs.id"), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("source", String(64), nullable=False),
    Column("symbol", String(32), nullable=False),
    Column("variant", Text, nullable=False),  # the params as canonical JSON
    Column("first_session", Date, nullable=False),
    Column("last_session", Date, nullable=False),
    Index("claims_by_work", "kind", "source", "symbol"),
)

logs = Table(
    "logs",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("timestamp", UtcTime, nullable=False),
    Column("level", String(16), nullable=False),
    Column("agent", String(128), nullable=False),
    Column("symbol", String(32)),
    Column("stage", String(64)),
    Column("message", Text, nullable=False),
    Column("job_id", String(32)),
    Column("trace_id", String(64)),
    Column("extra", JSON, nullable=False),
    Index("logs_by_job", "job_id", "number"),
    Index("logs_by_agent", "agent", "number"),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("state", String(32), nullable=False),
    Column("host", String(128), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("holder", String(256), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("beat_at", UtcTime, nullable=False),
    Column("period", Float, nullable=False),  # seconds; silent for longer than this is stalled
    Index("heartbeats_by_age", "beat_at"),
)
