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
HEAD = "0002"

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
    Column("parent", String(32)),  # the job that this one is a part of
    Column("rates", JSON(none_as_null=True)),  # how fast it goes and what is left, as it told
    Index("jobs_by_state", "state", "number"),
    Index("jobs_by_parent", "parent", "state"),
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

#: What happened, in order: one typed stream that readers follow by its number.
events = Table(
    "events",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", String(32), nullable=False),  # job, heartbeat, alert, bars ...
    Column("source", String(64)),
    Column("symbol", String(32)),
    Column("job_id", String(32)),
    Column("facts", JSON, nullable=False),
    Index("events_by_age", "at"),
)

#: What a provider lets one account ask, a row a window: one budget for all processes.
rate_windows = Table(
    "rate_windows",
    metadata,
    Column("account", String(128), primary_key=True),  # provider, host and a hash of the key
    Column("seconds", Float, primary_key=True),
    Column("most", Integer, nullable=False),
    Column("remaining", Integer, nullable=False),
    Column("began_at", Float, nullable=False),  # seconds since 1970, of our clock
    Column("resets_at", Float, nullable=False),
)

#: Agents that a user has stopped or paused; kept across restarts.
switches = Table(
    "switches",
    metadata,
    Column("agent", String(32), primary_key=True),  # the kind: ingest, live, features, upkeep ...
    Column("state", String(16), nullable=False),  # running, paused or stopped
    Column("reason", Text, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
)

#: What is wrong now, and what was: one row an alert, open until it is over.
alerts = Table(
    "alerts",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("kind", String(64), nullable=False),
    Column("subject", String(128), nullable=False),  # an agent, or a series
    Column("message", Text, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("raised_at", UtcTime, nullable=False),
    Column("over_at", UtcTime),
    Column("told_at", UtcTime),  # when the webhook took it
    Column("over_told_at", UtcTime),  # when the webhook took that it is over
    Column("tries", Integer, nullable=False),  # at the webhook, since it last took something
    Column("tried_at", UtcTime),  # the newest of them
    Index("alerts_by_subject", "kind", "subject", "over_at"),
)

#: How requests went, by series and day (UTC): the error rate of a source.
request_tallies = Table(
    "request_tallies",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("symbol", String(32), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
)

#: How good a series of minutes is, by session: counts, from which the shares follow.
quality = Table(
    "quality",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("symbol", String(32), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("expected", Integer, nullable=False),  # regular minutes of the session that are over
    Column("fetched", Integer, nullable=False),  # of these, in a fetched interval
    Column("bars", Integer, nullable=False),
    Column("quarantined", Integer, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("hours_behind", Float),  # only where it was the series' newest day when computed
    Column("computed_at", UtcTime, nullable=False),
    Index("quality_by_day", "day"),
)
