"""A page as HTML: one file, nothing fetched, every text escaped."""

from functools import singledispatch
from html import escape
from pathlib import Path

from reporting.colours import INK
from reporting.drawing import NARROW, WIDE, drawn
from reporting.formats import NONE, printable
from reporting.page import Chart, Column, Figures, Heading, Page, Paragraph, Table, Warned
from reporting.style import CSS

#: Whatever would get into a page by mistake, a browser fetches and runs nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html(page: Page) -> str:
    """The whole page; the same page gives the same text."""
    parts = [_piece(piece, f"c{at}") for at, piece in enumerate(page.pieces)]
    subtitle = f'<p class="subtitle">{_text(page.subtitle)}</p>' if page.subtitle else ""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{_text(page.title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>",
            f"<header><h1>{_text(page.title)}</h1>{subtitle}</header>",
            *parts,
            "</main>\n</body>\n</html>\n",
        ]
    )


def write_html(page: Page, path: Path) -> Path:
    """Write a page to a file; what was there is replaced."""
    path.write_text(html(page), encoding="utf-8")
    return path


@singledispatch
def _piece(piece: object, name: str) -> str:
    raise TypeError(f"A page has no piece like {type(piece).__name__}, wanted as {name}.")


@_piece.register
def _(piece: Heading, name: str) -> str:
    return f'<h2 id="{name}">{_text(piece.text)}</h2>'


@_piece.register
def _(piece: Paragraph, name: str) -> str:  # noqa: ARG001 - pieces are alike to their caller
    return f"<p>{_text(piece.text)}</p>"


@_piece.register
def _(piece: Warned, name: str) -> str:  # noqa: ARG001
    return f'<p class="warning" role="note"><strong>Warning.</strong> {_text(piece.text)}</p>'


@_piece.register
def _(piece: Figures, name: str) -> str:  # noqa: ARG001
    cards = [
        f"<div><dt>{_text(one.label)}</dt><dd>{_text(one.value)}"
        + (f"<small>{_text(one.note)}</small>" if one.note else "")
        + "</dd></div>"
        for one in piece.figures
    ]
    return f'<dl class="figures">{"".join(cards)}</dl>'


@_piece.register
def _(piece: Table, name: str) -> str:  # noqa: ARG001
    titles = "".join(
        f'<th scope="col"{_aligned(one)}>{_text(one.title)}</th>' for one in piece.columns
    )
    rows = "\n".join(f"<tr>{_cells(piece.columns, row)}</tr>" for row in piece.rows)
    shown = piece.caption and not piece.folded  # the fold has it
    caption = f'<p class="caption">{_text(piece.caption)}</p>' if shown else ""
    label = f'aria-label="{_text(piece.caption or "Table")}"'
    # A table that is too wide is scrolled by itself, by keyboard too.
    table = (
        f'{caption}<div class="table" role="region" tabindex="0" {label}><table>'
        f"<thead><tr>{titles}</tr></thead>\n<tbody>{rows}</tbody></table></div>"
    )
    summary = f"<summary>{_text(piece.caption or 'Table')}</summary>"
    return f"<details>{summary}{table}</details>" if piece.folded else table


@_piece.register
def _(piece: Chart, name: str) -> str:
    drawings = "".join(
        f'<div class="{kind}" role="img" aria-label="{_text(piece.alt)}">{_inline(piece, name, width)}</div>'
        for kind, width in (("wide", WIDE), ("narrow", NARROW))
    )
    caption = f"<p>{_text(piece.caption)}</p>" if piece.caption else ""
    return f"<figure>{drawings}<figcaption><h3>{_text(piece.title)}</h3>{caption}</figcaption></figure>"


def _inline(piece: Chart, name: str, width: int) -> str:
    """The drawing in the page's ink, so that it follows light and dark."""
    return drawn(piece.chart, width, name=f"{name}-{width}").replace(f'"{INK}"', '"currentColor"')


def _cells(columns: tuple[Column, ...], row: tuple[str | None, ...]) -> str:
    texts = [NONE if one is None else _text(one) for one in row]
    first = f'<th scope="row"{_aligned(columns[0])}>{texts[0]}</th>' if texts else ""
    rest = zip(columns[1:], texts[1:], strict=True)
    return first + "".join(f"<td{_aligned(column)}>{text}</td>" for column, text in rest)


def _aligned(column: Column) -> str:
    return ' class="n"' if column.numeric else ""


def _text(text: str) -> str:
    return escape(printable(text), quote=True)
