"""Pages of figures and plots: one HTML file that needs no network, and one picture for a mail.

Knows nothing of bars, models or simulations; imports none of the other rooms.
"""

from reporting.formats import NONE, change, count, money, number, ratio, share
from reporting.markup import html, write_html
from reporting.page import Chart, Column, Figure, Page
from reporting.picture import png, write_png

__all__ = [
    "NONE",
    "Chart",
    "Column",
    "Figure",
    "Page",
    "change",
    "count",
    "html",
    "money",
    "number",
    "png",
    "ratio",
    "share",
    "write_html",
    "write_png",
]
