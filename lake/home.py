"""Where things lie in a lake's home. Files only; nothing here opens them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """The folder of one lake and the places in it."""

    root: Path

    @property
    def catalog(self) -> Path:
        """DuckLake's catalog, a SQLite database in WAL mode."""
        return self.root / "duckdb" / "lake.sqlite"

    @property
    def gate(self) -> Path:
        """The file that every writer locks before it begins a transaction."""
        return self.root / "duckdb" / "commit.lock"

    @property
    def clock(self) -> Path:
        """The newest ``recorded_at`` given so far, in microseconds."""
        return self.root / "duckdb" / "clock"

    @property
    def parquet(self) -> Path:
        """All data files of the lake."""
        return self.root / "parquet"

    @property
    def models(self) -> Path:
        """Trained models with their birth certificates."""
        return self.root / "models"

    @property
    def logs(self) -> Path:
        """JSON lines of every agent, and what the processes print."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Locks, sockets and process ids: nothing here outlives the processes."""
        return self.root / "run"
