"""What a verification found."""

from dataclasses import dataclass, field

from lake.verify.listing import StoredFile


@dataclass(frozen=True)
class Finding:
    """One promise that is broken.

    Attributes:
        kind: Which promise, in a few words: the same words for the same promise.
        place: The file, relative to the home, or the series: ``bars_1m alpaca:iex SPY``.
        sentence: What is wrong, where, and what to do.
        file: The file that is lost or damaged; None where it is not about a file's bytes.
    """

    kind: str
    place: str
    sentence: str
    file: StoredFile | None = None


@dataclass(frozen=True)
class Report:
    """What was looked at, and what is wrong with it.

    Attributes:
        findings: Empty if every promise is kept.
        files: How many files of the catalog were read, and their ``bytes`` together.
        series: How many series (dataset, source, symbol) were read, and their ``bars``.
        seconds: How long it took.
    """

    findings: tuple[Finding, ...] = field(default=())
    files: int = 0
    bytes: int = 0
    series: int = 0
    bars: int = 0
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings
