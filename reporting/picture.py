"""A page as one picture: its warnings, key figures and plots, for a mail or a chat.

Tables and paragraphs are left to the page: a picture is looked at, not read.
"""

import textwrap
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from reporting.colours import INK, VERMILION
from reporting.drawing import WIDE, drawn, size
from reporting.formats import printable
from reporting.page import Chart, Figure, Figures, Page

_MARGIN, _CARDS = 24, 4
_FONT = "Liberation Sans, Arial, sans-serif"
_SOFT, _LINE, _CARD, _WARN = "#5c6773", "#d8dee4", "#f5f7f9", "#fff1e6"
#: Width of a letter over its height, rather too wide: lines never leave their box.
_LETTER = 0.53
_SCALE = 2.0  # pixels of the picture a pixel of the drawing: sharp on any screen
_TALLEST = 16_000  # pixels; beyond that many programs show nothing


@dataclass
class _Sheet:
    """Drawings one below the other; ``y`` is where the next one begins."""

    parts: list[str] = field(default_factory=list)
    y: float = _MARGIN

    def line(self, text: str, height: int, **looks: str) -> None:
        """Add one line of text and go below it."""
        self.parts.append(_line(text, _MARGIN, self.y + height, height, **looks))
        self.y += height * 1.4

    def lines(self, text: str, height: int, **looks: str) -> None:
        """Add text in as many lines as it needs."""
        for line in _wrapped(text, height, WIDE):
            self.line(line, height, **looks)


def png(page: Page) -> bytes:
    """The picture, 968 units wide and drawn twice as fine; white behind."""
    import vl_convert

    sheet = _Sheet()
    sheet.lines(page.title, 26, weight="bold")
    sheet.lines(page.subtitle, 13, fill=_SOFT)
    for warning in page.warnings:
        _warn(sheet, warning)
    for at, piece in enumerate(page.pieces):
        if isinstance(piece, Figures):
            _figures(sheet, piece)
        elif isinstance(piece, Chart):
            _chart(sheet, piece, f"p{at}")
    width, height = WIDE + 2 * _MARGIN, round(sheet.y + _MARGIN)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>{"".join(sheet.parts)}</svg>'
    )
    return bytes(vl_convert.svg_to_png(svg, scale=min(_SCALE, _TALLEST / height)))


def write_png(page: Page, path: Path) -> Path:
    """Write the picture to a file; what was there is replaced."""
    path.write_bytes(png(page))
    return path


def _warn(sheet: _Sheet, text: str) -> None:
    lines = _wrapped(f"Warning. {text}", 13, WIDE - 28)
    height = len(lines) * 13 * 1.4 + 16
    sheet.y += 8
    sheet.parts.append(_box(_MARGIN, sheet.y, WIDE, height, _WARN, VERMILION))
    for at, line in enumerate(lines):
        sheet.parts.append(_line(line, _MARGIN + 14, sheet.y + 20 + at * 13 * 1.4, 13))
    sheet.y += height


def _figures(sheet: _Sheet, piece: Figures) -> None:
    gap = 12
    width = (WIDE - gap * (_CARDS - 1)) / _CARDS
    for start in range(0, len(piece.figures), _CARDS):
        row = piece.figures[start : start + _CARDS]
        height = 66 + max(len(_wrapped(one.note, 11, width - 24)) for one in row) * 15
        sheet.y += gap
        for at, one in enumerate(row):
            sheet.parts.append(_card(one, _MARGIN + at * (width + gap), sheet.y, width, height))
        sheet.y += height


def _card(one: Figure, x: float, y: float, width: float, height: float) -> str:
    room = width - 24
    fits = min(20, int(room / _LETTER / max(len(one.value), 1)))  # a long value in smaller letters
    notes = [
        _line(line, x + 12, y + 64 + at * 15, 11, fill=_SOFT)
        for at, line in enumerate(_wrapped(one.note, 11, room))
    ]
    return "".join(
        [
            _box(x, y, width, height, _CARD, _LINE),
            _line(one.label, x + 12, y + 21, 12, fill=_SOFT),
            _line(one.value, x + 12, y + 45, fits, weight="bold"),
            *notes,
        ]
    )


def _chart(sheet: _Sheet, piece: Chart, name: str) -> None:
    sheet.y += 26
    sheet.line(piece.title, 17, weight="bold")
    sheet.lines(piece.caption, 12, fill=_SOFT)
    svg = drawn(piece.chart, WIDE, name=name)
    sheet.y += 6
    sheet.parts.append(svg.replace("<svg ", f'<svg x="{_MARGIN}" y="{sheet.y:g}" ', 1))
    sheet.y += size(svg)[1]


def _wrapped(text: str, height: int, width: float) -> list[str]:
    return textwrap.wrap(printable(text), max(int(width / (height * _LETTER)), 8))


def _line(
    text: str, x: float, y: float, height: int, *, fill: str = INK, weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-family="{_FONT}" font-size="{height}" '
        f'font-weight="{weight}" fill="{fill}">{escape(printable(text))}</text>'
    )


def _box(x: float, y: float, width: float, height: float, fill: str, stroke: str) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" '
        f'fill="{fill}" stroke="{stroke}"/>'
    )
