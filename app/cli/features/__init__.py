"""``barlake features``: define, build, look at and export wide feature tables."""

import typer

from app.cli.features import building, defining, previewing, showing
from app.cli.teaching import add, add_group


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = add_group(app, "features", "Define, build, look at and export wide feature tables.")
    add(group, building.build)
    add(group, showing.list_features, "list")
    add(group, showing.show)
    add(group, previewing.preview)
    add(group, building.export)
    add(group, defining.define)
    add(group, defining.drop)
    add(group, defining.audit)
