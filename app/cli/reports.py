"""Reports as files: one page of HTML, or one picture."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.output import OutputError, remark, replacing

if TYPE_CHECKING:
    from reporting.page import Page

Html = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write the report as one page of HTML."),
]
Png = Annotated[
    Path | None, typer.Option("--png", metavar="FILE", help="Write the report as one picture.")
]


def check_report(html: Path | None, png: Path | None) -> None:
    """Refuse files that cannot be written, before the work whose report they are.

    Raises:
        OutputError: A file has no folder, or is one.
    """
    for path, flag in ((html, "--html"), (png, "--png")):
        if path is None:
            continue
        problem = ""
        if path.is_dir():
            problem = f"{path} is a folder"
        elif not path.parent.is_dir():
            problem = f"{path.parent} is no folder"
        if problem:
            raise OutputError(
                f"No report can be written: {problem}. Choose another file with {flag}."
            )


def write_report(made: "Callable[[], Page]", html: Path | None, png: Path | None) -> None:
    """Make a report and write it to the files that were named; nothing where none was.

    Raises:
        OutputError: A file cannot be written there.
    """
    if html is None and png is None:
        return
    from reporting import write_html, write_png

    page = made()
    for path, write in ((html, write_html), (png, write_png)):
        if path is not None:
            with replacing(path) as part:
                write(page, part)
            remark(f"The report is in {path}.")
