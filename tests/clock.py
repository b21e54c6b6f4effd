"""A clock that tests move."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Stands at noon of 2024-05-01 (UTC) until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2024, 5, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float = 0, **span: float) -> None:
        """Go on by seconds, or by ``days``, ``hours`` ... as a timedelta takes them."""
        self.now += timedelta(seconds=seconds, **span)
