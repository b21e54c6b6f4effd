"""``barlake backup`` and ``barlake restore``: a copy of the lake, and the way back."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.cli.doors import noted, opened_lake, settings
from app.cli.options import AsJson
from app.cli.output import counted, say, show_json, size
from app.cli.teaching import add

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the backup.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    add(app, backup)
    add(app, restore)


def backup(
    folder: Folder,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Read the last backup again; replace what is damaged.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Save the lake while agents write; only what is new is copied.

    Bars, revisions, features, models, the journal: the lake as it is at one moment. Killed half-way,
    the folder still holds the last backup.

    Examples:
        barlake backup /mnt/backup
        barlake backup /mnt/backup --check --json
    """
    from lake import backup as backups

    with opened_lake() as lake, noted("backup") as facts:
        saved = backups.backup(lake, folder, check=check)
        facts.update(asdict(saved))
    if as_json:
        show_json(asdict(saved))
        return
    say(
        f"Saved {counted(saved.files, 'file')} ({size(saved.bytes)}) of snapshot {saved.snapshot} to {folder}: "
        f"copied {saved.copied_files:,} ({size(saved.copied_bytes)}), removed {saved.removed:,}, "
        f"in {saved.seconds:.1f} s."
    )


def restore(
    folder: Folder,
    *,
    home: Annotated[
        Path | None, typer.Option(metavar="NEW", help="The new home; default: BARLAKE_HOME.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a lake of a backup, in a home where there is none.

    Every file is checked on its way; if one is damaged, nothing is made. To mend single files of a
    lake instead: `barlake verify --repair --backup DIR`.

    Examples:
        barlake restore /mnt/backup --home ./again
        BARLAKE_HOME=./again barlake verify
    """
    from lake import backup as backups

    target = home or settings().home
    restored = backups.restore(folder, target)
    if as_json:
        show_json(asdict(restored))
        return
    say(
        f"Restored {counted(restored.files, 'file')} ({size(restored.bytes)}) of snapshot {restored.snapshot}, "
        f"saved at {restored.created_at}, to {target} in {restored.seconds:.1f} s."
    )
