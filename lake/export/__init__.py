"""Plain files of bars for other tools: ``{symbol}/dt={YYYY-MM-DD}/bars.parquet`` and its relatives.

An export is a copy that follows the lake: a repeat writes what changed and removes what is gone.
"""

from lake.export.folder import FORMATS, LAYOUTS, NAMES, ExportBusyError, ExportFolderError
from lake.export.run import Exported, export, refresh_mirror

__all__ = [
    "FORMATS",
    "LAYOUTS",
    "NAMES",
    "ExportBusyError",
    "ExportFolderError",
    "Exported",
    "export",
    "refresh_mirror",
]
