"""Where things lie in a lake's home, and where a home may be. Nothing here opens a file."""

from dataclasses import dataclass
from pathlib import Path

from lake.errors import ProblemError


class HomeError(ProblemError):
    """A folder that must not become the home of a lake."""


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


def check_new(home: Home) -> None:
    """Return if a new lake may be made in a home.

    Upkeep deletes data files that no table of its lake knows, so that two lakes must never share a
    folder of them.

    Raises:
        HomeError: The home lies in the folders of another lake, or holds data files of one.
    """
    for root in home.root.parents:
        other = Home(root)
        theirs = (other.parquet, other.catalog.parent, other.models, other.logs, other.run)
        inside = any(home.root.is_relative_to(folder) for folder in theirs)
        if inside and other.catalog.exists():
            problem = f"{home.root} lies inside the lake of {root}. Choose a home outside of it; nothing was made."
            raise HomeError(problem)
    stranger = next(home.parquet.rglob("*.parquet"), None)
    if stranger is not None:
        problem = (
            f"{home.root} has data files ({stranger.relative_to(home.root)}) and no catalog that knows them. "
            "Bring back duckdb/lake.sqlite, restore a backup into a new home, or move the folder parquet away; "
            "nothing was made."
        )
        raise HomeError(problem)
