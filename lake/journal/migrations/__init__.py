"""How the journal's tables came to be, revision by revision; alembic runs them."""
