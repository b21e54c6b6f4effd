"""One trial: a work in a lake of its own, killed at one point; then what must hold is looked at."""

import pickle
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

import lake
from lake import gate
from lake.backup import BackupMissingError, restore
from lake.backup.restoring import check_backup
from lake.export import export
from lake.upkeep import Plan, run
from lake.verify import verify
from lake.verify.listing import stored_files
from tests.chaos.content import Content, content, readers_content, series_of, twice
from tests.chaos.works import AHEAD, FURNISHED, WORKS, Work

_TABLES = ("minutes", "daily")


@dataclass
class Truth:
    """What an undisturbed run did.

    Attributes:
        states: The content of the lake before the work, and after each of its commits.
        reached: The state after each step, by its place in ``states``; the first is before all.
        before: When the lake was as the first state says (UTC), and ``known`` what readers saw of it.
    """

    states: list[Content] = field(default_factory=list)
    reached: list[int] = field(default_factory=list)
    before: datetime | None = None
    pinned: int | None = None
    series: list[tuple[str, str, str]] = field(default_factory=list)
    known: dict[str, Any] = field(default_factory=dict)


class BrokenPromiseError(AssertionError):
    """Something that must hold after a kill did not."""


def furnish(name: str, folder: Path) -> None:
    """Make the lake in which a work begins: ``folder/base``; what all works share is made once."""
    work, root, shared = WORKS[name], folder / "base", folder.with_name("furnished")
    if work.makes:
        root.mkdir(parents=True)
        return
    if not shared.exists():
        draft = shared.with_suffix(".draft")
        with lake.open(draft / "home", create=True) as store:
            for step in FURNISHED:
                step(store, draft)
        draft.rename(shared)
    shutil.copytree(shared, root)
    with lake.open(root / "home") as store:
        for step in work.begin:
            step(store, root)


def learn(name: str, folder: Path) -> None:
    """Do a work undisturbed, and keep what it did: ``folder/truth``."""
    work, root, truth = WORKS[name], folder / "undisturbed", Truth()
    shutil.copytree(folder / "base", root)
    if work.makes:
        with lake.open(root / "home", create=True) as store:
            truth.states, truth.reached = [content(store)], [0]
        (folder / "truth").write_bytes(pickle.dumps(truth))
        return
    with lake.open(root / "home") as store:
        truth.states, truth.reached = [content(store)], [0]
        if store.pins().height:
            truth.pinned = int(store.pins()["snapshot"][0])
        truth.before = store.sql("SELECT max(recorded_at) FROM changes").item()
        truth.series = series_of(store)
        truth.known = _known(store, truth)
        with _noted(store, truth):
            for step in work.steps:
                step(store, root)
                truth.reached.append(len(truth.states) - 1)
        if content(store) != truth.states[-1]:
            message = "something was written beside the commits"
            raise BrokenPromiseError(message)
    (folder / "truth").write_bytes(pickle.dumps(truth))


@contextmanager
def _noted(store: lake.Lake, truth: Truth) -> Iterator[None]:
    """Note the content each time the gate is let go: whatever commits, commits behind it."""
    plain = gate.hold

    @contextmanager
    def hold(*asked: Any, **named: Any) -> Iterator[float]:
        with plain(*asked, **named) as waited:
            yield waited
        truth.states.append(content(store))

    gate.hold = hold
    try:
        yield
    finally:
        gate.hold = plain


def work_on(name: str, root: Path) -> None:
    """Do the steps of a work; each that is done is acknowledged on the disk."""
    work = WORKS[name]
    with lake.open(root / "home", create=work.makes) as store:
        _do(work, store, root, 0)


def _do(work: Work, store: lake.Lake, root: Path, first: int) -> None:
    for number, step in enumerate(work.steps[first:], first + 1):
        step(store, root)
        _acknowledge(root, number)


def _acknowledge(root: Path, number: int) -> None:
    draft = root / "acknowledged.draft"
    draft.write_text(str(number))
    draft.rename(root / "acknowledged")


def _acknowledged(root: Path) -> int:
    place = root / "acknowledged"
    return int(place.read_text()) if place.exists() else 0


def check(name: str, folder: Path, root: Path, *, repeat: bool) -> None:
    """Look at what a killed work left.

    Args:
        repeat: Do the work again from where it was, look again, and sweep what was left over.

    Raises:
        BrokenPromiseError: With what is broken.
    """
    work: Work = WORKS[name]
    truth: Truth = pickle.loads((folder / "truth").read_bytes())
    done = _acknowledged(root)
    if work.makes:
        _check_made(root, truth)
        return
    allowed = truth.states[truth.reached[done] :][: _span(truth, done)]
    with lake.open(root / "home") as store:
        with store.reading() as connection:
            connection.execute("SET threads = 1")  # tiny tables: more only wait for each other
        _check_lake(store, work, truth, allowed)
        _check_copies(root, truth)
        if not repeat:
            return
        _do(work, store, root, done)
        _check_lake(store, work, truth, truth.states[-1:])
        _check_copies(root, truth)
        _sweep(store)
        _expect(content(store), truth.states[-1:], "after sweeping")
        _check_whole_copies(store, root)


def _span(truth: Truth, done: int) -> int:
    """How many states a killed step may have left: those from the last step's to its own."""
    following = truth.reached[min(done + 1, len(truth.reached) - 1)]
    return following - truth.reached[done] + 1


def _check_made(root: Path, truth: Truth) -> None:
    home = root / "home"
    if (home / "duckdb" / "lake.sqlite").exists():
        with lake.open(home) as store:
            store.snapshot()
            _clean(store)
    with lake.open(home, create=True) as store:
        _expect(content(store), truth.states, "after making it again")
        _clean(store)


def _check_lake(store: lake.Lake, work: Work, truth: Truth, allowed: list[Content]) -> None:
    held = content(store)
    _expect(held, allowed, "after the kill")
    if again := twice(store):
        message = f"{again} keys are stored twice"
        raise BrokenPromiseError(message)
    for table in _TABLES:
        seen = readers_content(store, table, series_of(store))
        if seen != held[table]:
            message = f"readers see {seen} of {table} and the lake holds {held[table]}"
            raise BrokenPromiseError(message)
    known = _known(store, truth)
    kept = {key: value for key, value in truth.known.items() if not work.forgets or key == "pinned"}
    if wrong := {key: known[key] for key, value in kept.items() if known[key] != value}:
        message = f"what was known has changed: {wrong}, was {truth.known}"
        raise BrokenPromiseError(message)
    _clean(store)


def _known(store: lake.Lake, truth: Truth) -> dict[str, Any]:
    """What readers see of the moment before the work, and of the pinned snapshot."""
    known = {}
    if truth.pinned is not None:
        known["pinned"] = readers_content(store, "minutes", truth.series, snapshot=truth.pinned)
    for table in _TABLES:
        known[table] = readers_content(store, table, truth.series, as_of=truth.before)
    return known


def _expect(held: Content, allowed: list[Content], when: str) -> None:
    if held in allowed:
        return
    near = min(allowed, key=lambda state: len(_differences(held, state)))
    message = f"{when} the lake is in no state of a whole commit: {_differences(held, near)}"
    raise BrokenPromiseError(message)


def _differences(held: Content, state: Content) -> dict[str, Any]:
    names = held.keys() | state.keys()
    return {
        name: (held.get(name), state.get(name))
        for name in names
        if held.get(name) != state.get(name)
    }


def _clean(store: lake.Lake) -> None:
    if findings := verify(store).findings:
        message = "verify found: " + " ".join(finding.sentence for finding in findings)
        raise BrokenPromiseError(message)


def _check_copies(root: Path, truth: Truth) -> None:
    """A backup can be restored whenever it says that it is one; a restored lake is whole."""
    made = root / "probe"
    with _missing_allowed():
        restore(root / "saved", made)
        _check_copy(made, truth)
        shutil.rmtree(made)
    if (root / "again").exists():
        _check_copy(root / "again", truth)


@contextmanager
def _missing_allowed() -> Iterator[None]:
    try:
        yield
    except BackupMissingError:
        return


def _check_copy(home: Path, truth: Truth) -> None:
    with lake.open(home) as copy:
        _expect(content(copy), truth.states, "restored")
        _clean(copy)


def _check_whole_copies(store: lake.Lake, root: Path) -> None:
    """After the work was repeated: the backup and the export are those of the lake, nothing is left over."""
    if (root / "saved").exists() and (problems := check_backup(root / "saved")):
        raise BrokenPromiseError(*problems)
    if (root / "out").exists():
        done = export(store, root / "out", verify=True)
        if done.mended or done.written or done.removed or list((root / "out").rglob("*.part")):
            message = f"the repeated export was not whole: {done}"
            raise BrokenPromiseError(message)
        files = pl.read_parquet(f"{root}/out/*/*/bars.parquet", hive_partitioning=False)
        if files.height != store.bars(files["symbol"].unique().to_list()).height:
            message = "the exported files hold other bars than the lake"
            raise BrokenPromiseError(message)


def _sweep(store: lake.Lake) -> None:
    """What a kill left over is found and removed: the disk has the files of the catalog, no others."""
    none, later = timedelta(0), datetime.now(UTC) + AHEAD
    only = ("cleanup", "orphans")
    run(store, Plan(later, keep=none, replaced_kept=none, orphans_kept=none, only=only))
    with store.reading() as connection:
        named = {file.under(store.place) for file in stored_files(connection)}
    held = set(store.place.parquet.rglob("*.parquet"))
    if held != named:
        message = f"left over: {sorted(held - named)}, lost: {sorted(named - held)}"
        raise BrokenPromiseError(message)
