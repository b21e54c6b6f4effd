"""Where an unexpected error of a command is kept."""

import os
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson


def keep(error: Exception, arguments: Sequence[str]) -> Path:
    """Append one JSON line with the traceback to the log of the command line.

    Returns:
        The file: ``logs/cli.jsonl`` in the lake's home, or one among the temporary files where
        there is no home to write to.
    """
    line = orjson.dumps(
        {
            "timestamp": datetime.now(UTC),
            "level": "error",
            "agent": "cli",
            "stage": arguments[0] if arguments else "",
            "message": f"{type(error).__name__}: {error}",
            "traceback": "".join(traceback.format_exception(error)),
        },
        option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE,
    )
    for folder in (_home() / "logs", Path(tempfile.gettempdir()) / f"barlake-{os.getuid()}"):
        try:
            folder.mkdir(parents=folder.parent.is_dir(), exist_ok=True)
            with (folder / "cli.jsonl").open("ab") as log:
                log.write(line)
        except OSError:
            continue
        return folder / "cli.jsonl"
    return Path(os.devnull)


def _home() -> Path:
    from lake.errors import SettingsError
    from lake.settings import load_settings

    try:
        return load_settings().home
    except SettingsError:
        return Path("data")
