"""Alembic's door to the journal: it brings the connection it was given to the newest revision."""

from alembic import context
from sqlalchemy import Connection


def migrate(connection: Connection) -> None:
    """Run the missing revisions inside the caller's transaction."""
    context.configure(connection=connection)
    context.run_migrations()


# Alembic loads this file under the name below; anybody else who imports it only reads it.
if __name__ == "env_py":
    migrate(context.config.attributes["connection"])
