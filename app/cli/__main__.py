"""``python -m app.cli`` is the ``barlake`` command."""

from app.cli.main import run

if __name__ == "__main__":
    run()
