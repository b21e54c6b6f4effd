"""``barlake up``: everything in the foreground."""

import typer

from app.cli.doors import settings
from app.cli.output import say
from app.cli.teaching import add


def register(app: typer.Typer) -> None:
    """Add the command."""
    add(app, up)


def up() -> None:
    """Start broker, workers, scheduler, API and UI.

    Stays in the foreground; Ctrl-C stops all of them.

    Ports and folders come from settings: BARLAKE_API_PORT (8000), BARLAKE_UI_PORT (8501),
    BARLAKE_HOST (127.0.0.1), BARLAKE_WORKERS (2), BARLAKE_HOME (./data). With REDIS_URL set, no
    broker is started.

    Examples:
        barlake up
        BARLAKE_API_PORT=9000 BARLAKE_WORKERS=4 barlake up
    """
    from app.up.main import up as start

    start(settings(), say)
