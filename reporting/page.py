"""What a page is made of, in the order in which it is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Heading:
    """The title of what follows."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """A few sentences."""

    text: str


@dataclass(frozen=True)
class Warned:
    """What nobody may miss: it stands in a box, in the picture too."""

    text: str


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: With its unit, where it has one.
        numeric: Whether it stands to the right, digit below digit.
    """

    title: str
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """Rows of texts; None is shown as a dash. The first column names the row.

    Attributes:
        folded: Only its caption is shown until somebody opens it.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]
    caption: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Figure:
    """A number that says something by itself.

    Attributes:
        note: What to hold it against.
    """

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Figures:
    """Numbers side by side."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Chart:
    """A plot.

    Attributes:
        chart: Of altair, without a width (it is drawn wide and narrow) and with a height in pixels.
        alt: The same in words, for who cannot see it.
        caption: What it says and what it does not.
    """

    title: str
    chart: Any
    alt: str
    caption: str = ""


Piece = Heading | Paragraph | Warned | Table | Figures | Chart


@dataclass
class Page:
    """A page under construction: each method adds one piece at the end."""

    title: str
    subtitle: str = ""
    pieces: list[Piece] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Add a heading."""
        self.pieces.append(Heading(text))

    def paragraph(self, text: str) -> None:
        """Add a paragraph."""
        self.pieces.append(Paragraph(text))

    def warning(self, text: str) -> None:
        """Add a warning."""
        self.pieces.append(Warned(text))

    def table(
        self,
        columns: Sequence[Column | str],
        rows: Iterable[Sequence[str | None]],
        caption: str = "",
        *,
        folded: bool = False,
    ) -> None:
        """Add a table.

        Args:
            columns: A title alone is that of a column of numbers; the first one is of names.
            rows: As many texts each as there are columns.
            folded: Show only the caption, for long tables that say in full what a plot shows.

        Raises:
            ValueError: A row has more or fewer texts than there are columns.
        """
        titled = tuple(
            one if isinstance(one, Column) else Column(one, numeric=at > 0)
            for at, one in enumerate(columns)
        )
        filled = tuple(tuple(row) for row in rows)
        odd = next((row for row in filled if len(row) != len(titled)), None)
        if odd is not None:
            raise ValueError(f"A row of {len(odd)} texts is in a table of {len(titled)} columns.")
        self.pieces.append(Table(titled, filled, caption, folded))

    def figures(self, figures: Iterable[Figure]) -> None:
        """Add key figures."""
        self.pieces.append(Figures(tuple(figures)))

    def chart(self, title: str, chart: Any, *, alt: str, caption: str = "") -> None:
        """Add a plot; see :class:`Chart`."""
        self.pieces.append(Chart(title, chart, alt, caption))

    @property
    def warnings(self) -> list[str]:
        """The texts of all warnings."""
        return [one.text for one in self.pieces if isinstance(one, Warned)]
