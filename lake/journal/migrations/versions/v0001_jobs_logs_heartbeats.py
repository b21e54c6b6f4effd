"""Jobs with their claims, logs and heartbeats."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the first tables."""
    _make_jobs()
    _make_claims()
    _make_logs()
    _make_heartbeats()


def downgrade() -> None:
    """Drop everything the journal holds."""
    for table in ("heartbeats", "logs", "claims", "jobs"):
        op.drop_table(table)


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("first_session", sa.Date()),
        sa.Column("last_session", sa.Date()),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("result", sa.JSON()),
        sa.Column("trace_id", sa.String(64), nullable=False),
        sa.Column("worker", sa.String(128)),
        sa.Column("holder", sa.String(256)),
        sa.Column("lease_until", _TIME),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("started_at", _TIME),
        sa.Column("finished_at", _TIME),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "number"])
    op.create_index("jobs_by_symbol", "jobs", ["symbol", "kind", "number"])


def _make_claims() -> None:
    op.create_table(
        "claims",
        sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("symbol", sa.String(32), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("first_session", sa.Date(), nullable=False),
        sa.Column("last_session", sa.Date(), nullable=False),
    )
    op.create_index("claims_by_work", "claims", ["kind", "source", "symbol"])


def _make_logs() -> None:
    op.create_table(
        "logs",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("timestamp", _TIME, nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("agent", sa.String(128), nullable=False),
        sa.Column("symbol", sa.String(32)),
        sa.Column("stage", sa.String(64)),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("job_id", sa.String(32)),
        sa.Column("trace_id", sa.String(64)),
        sa.Column("extra", sa.JSON(), nullable=False),
    )
    op.create_index("logs_by_job", "logs", ["job_id", "number"])
    op.create_index("logs_by_agent", "logs", ["agent", "number"])


def _make_heartbeats() -> None:
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("host", sa.String(128), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(256), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("beat_at", _TIME, nullable=False),
        sa.Column("period", sa.Float(), nullable=False),
    )
    op.create_index("heartbeats_by_age", "heartbeats", ["beat_at"])
