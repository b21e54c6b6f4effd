"""A page as a browser takes it: well formed or not, its texts, tables, warnings and figures."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "br", "hr", "img", "input", "link"}


@dataclass
class Read(HTMLParser):
    """What was read; ``open`` is empty behind a page that is well formed."""

    text: str
    open: list = field(default_factory=list)
    tags: set = field(default_factory=set)
    attributes: list = field(default_factory=list)
    titles: list = field(default_factory=list)
    paragraphs: list = field(default_factory=list)
    warnings: list = field(default_factory=list)
    headings: list = field(default_factory=list)
    tables: list = field(default_factory=list)
    figures: dict = field(default_factory=dict)
    _words: list = field(default_factory=list)
    _label: str = ""

    def __post_init__(self):
        super().__init__()
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self.open.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in {"p", "th", "td", "dt", "dd", "small", "h1", "h2", "h3", "title"}:
            self._words.append([])

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        if self._words:
            self._words[-1].append(data)

    def handle_endtag(self, tag):
        name, attributes = self.open.pop()
        assert name == tag, f"<{name}> is closed by </{tag}>"
        if tag not in {"p", "th", "td", "dt", "dd", "small", "h1", "h2", "h3", "title"}:
            return
        said = "".join(self._words.pop())
        if tag in {"th", "td"}:
            self.tables[-1][-1].append(said)
        elif tag == "p":
            target = self.warnings if attributes.get("class") == "warning" else self.paragraphs
            target.append(said.strip())
        elif tag in {"h2", "h3"}:
            self.headings.append(said)
        elif tag in {"h1", "title"}:
            self.titles.append(said)
        elif tag == "dt":
            self._label = said
        elif tag == "dd":
            self.figures[self._label] = said

    def row(self, name: str) -> list[str]:
        """The cells of the first row that begins with a name."""
        return next(row[1:] for table in self.tables for row in table if row[0] == name)

    def table(self, *titles: str) -> list[list[str]]:
        """The rows of the table whose first titles are these."""
        return next(table[1:] for table in self.tables if table[0][: len(titles)] == list(titles))

    @property
    def said(self) -> str:
        """All paragraphs and warnings."""
        return "\n".join([*self.warnings, *self.paragraphs])


def fetched(read: Read) -> list[str]:
    """Whatever a browser would fetch to show the page."""
    found = [
        value
        for name, value in read.attributes
        if name in {"src", "href", "xlink:href", "srcset", "data", "action", "poster"}
        and not value.startswith("#")
    ]
    wanted = {"script", "link", "iframe", "img", "object", "embed", "base"} & read.tags
    outside = [word for word in ("@import", "url(http", "url('", 'url("') if word in read.text]
    return [*found, *wanted, *outside]
