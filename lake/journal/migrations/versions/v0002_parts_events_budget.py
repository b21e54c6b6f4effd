"""Jobs of parts, events, the rate budget, switches, alerts, tallies of requests and quality."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what the agents of the second form keep."""
    op.add_column("jobs", sa.Column("parent", sa.String(32)))
    op.add_column("jobs", sa.Column("rates", sa.JSON()))
    op.create_index("jobs_by_parent", "jobs", ["parent", "state"])
    _make_events()
    _make_rate_windows()
    _make_switches()
    _make_alerts()
    _make_request_tallies()
    _make_quality()


def downgrade() -> None:
    """Drop it again."""
    for table in ("quality", "request_tallies", "alerts", "switches", "rate_windows", "events"):
        op.drop_table(table)
    op.drop_index("jobs_by_parent", "jobs")
    op.drop_column("jobs", "rates")
    op.drop_column("jobs", "parent")


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("source", sa.String(64)),
        sa.Column("symbol", sa.String(32)),
        sa.Column("job_id", sa.String(32)),
        sa.Column("facts", sa.JSON(), nullable=False),
    )
    op.create_index("events_by_age", "events", ["at"])


def _make_rate_windows() -> None:
    op.create_table(
        "rate_windows",
        sa.Column("account", sa.String(128), primary_key=True),
        sa.Column("seconds", sa.Float(), primary_key=True),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.Column("began_at", sa.Float(), nullable=False),
        sa.Column("resets_at", sa.Float(), nullable=False),
    )


def _make_switches() -> None:
    op.create_table(
        "switches",
        sa.Column("agent", sa.String(32), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_at", _TIME, nullable=False),
    )


def _make_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("raised_at", _TIME, nullable=False),
        sa.Column("over_at", _TIME),
        sa.Column("told_at", _TIME),
        sa.Column("over_told_at", _TIME),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("tried_at", _TIME),
    )
    op.create_index("alerts_by_subject", "alerts", ["kind", "subject", "over_at"])


def _make_request_tallies() -> None:
    op.create_table(
        "request_tallies",
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("symbol", sa.String(32), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
    )


def _make_quality() -> None:
    op.create_table(
        "quality",
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("symbol", sa.String(32), primary_key=True),
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("fetched", sa.Integer(), nullable=False),
        sa.Column("bars", sa.Integer(), nullable=False),
        sa.Column("quarantined", sa.Integer(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("hours_behind", sa.Float()),
        sa.Column("computed_at", _TIME, nullable=False),
    )
    op.create_index("quality_by_day", "quality", ["day"])
