"""Parameters that several routes take, and the rules they share."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from lake.errors import RangeError
from lake.schema import check_symbol
from lake.sessions import moment, today

#: ``:path`` in the routes lets a name with a slash come here and be answered as no ticker.
SymbolPath = Annotated[
    str, Path(description="A ticker", examples=["SPY"], json_schema_extra={"example": "SPY"})
]


class Range(BaseModel):
    """A range of New York session dates or of times, both ends included."""

    model_config = ConfigDict(extra="forbid")

    start: str | None = Field(
        default=None,
        description="First session date, or a time with its zone",
        examples=["2024-05-01"],
    )
    end: str | None = Field(
        default=None,
        description="Last session date, or a time with its zone; included",
        examples=["2024-05-31"],
    )

    def ends(self) -> tuple[str | None, str | None]:
        """Start and end as the rooms below take them.

        Raises:
            RangeError: One of them cannot be read, or the range begins in the future.
        """
        start, end = unspoiled(self.start), unspoiled(self.end)
        begin, now = moment(start), datetime.now(UTC)
        if begin is not None and begin > (now if isinstance(begin, datetime) else today(now)):
            problem = f"The range starts at {start}, which is in the future. Ask for a past one."
            raise RangeError(problem)
        return start, end


def ticker(symbol: str) -> str:
    """The symbol of a path.

    Raises:
        SymbolError: No ticker looks like that.
    """
    return check_symbol(symbol)


def names(text: str | None) -> list[str] | None:
    """A list written with commas; None stays None."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else None


def unspoiled(text: str | None) -> str | None:
    """A time whose ``+`` came as a blank, as it does in a query that was not encoded."""
    return text.strip().replace(" ", "+") if text else None
