"""A model's file: written whole or not at all, and read only if it is the one that was written."""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lake.errors import InvalidError, MissingError


class ArtifactMissingError(MissingError):
    """A registered model's file is gone."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(str(path))
        self.path = str(path)

    def __str__(self) -> str:
        return f"The model's file {self.path} is gone. Train it again with `barlake train`."


class StrangerError(InvalidError):
    """A model's file is not the one that was registered."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(str(path))
        self.path = str(path)

    def __str__(self) -> str:
        return (
            f"{self.path} is not the file that was registered, so it was not opened: "
            "a pickle can run anything. Train the model again with `barlake train`."
        )


class EstimatorMissingError(MissingError):
    """A model's file names code that is not there."""

    def __init__(self, path: Path | str, problem: str) -> None:
        super().__init__(str(path), problem)
        self.path, self.problem = str(path), problem

    def __str__(self) -> str:
        return (
            f"{self.path} needs code that is not here ({self.problem}). "
            "Install the package of its estimator, or train the model again."
        )


@dataclass(frozen=True)
class Draft:
    """A file written out beside its final name; leaving the block removes it, published or not."""

    path: Path
    final: Path
    file_hash: str

    def publish(self) -> None:
        """Give it its final name; a reader sees the old file or the new one, whole."""
        self.path.replace(self.final)
        _flush(self.final.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)


def draft(path: Path, content: Mapping[str, Any]) -> Draft:
    """Write a ``.joblib`` file to disk, under another name until it is published."""
    import joblib

    buffer = io.BytesIO()
    joblib.dump(dict(content), buffer, compress=3)
    return _draft(path, buffer.getvalue())


def read(path: Path, file_hash: str) -> dict[str, Any]:
    """Unpickle a file after its hash was found right.

    Raises:
        ArtifactMissingError: There is no such file.
        StrangerError: It has another hash.
        EstimatorMissingError: A package it needs is not installed.
    """
    import joblib

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ArtifactMissingError(path) from None
    if hashlib.sha256(data).hexdigest() != file_hash:
        raise StrangerError(path)
    try:
        found: dict[str, Any] = joblib.load(io.BytesIO(data))
    except (ImportError, AttributeError) as error:
        raise EstimatorMissingError(path, str(error)[:200]) from error
    return found


def matches(path: Path, file_hash: str) -> bool:
    """Whether a file is there and is the one with that hash."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == file_hash


def write_certificate(path: Path, facts: Mapping[str, Any]) -> None:
    """Write the JSON birth certificate that lies beside a model."""
    data = json.dumps(facts, indent=2, sort_keys=True, default=str).encode() + b"\n"
    with _draft(path, data) as written:
        written.publish()


def _draft(path: Path, data: bytes) -> Draft:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.draft")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return Draft(beside, path, hashlib.sha256(data).hexdigest())


def _flush(folder: Path) -> None:
    """Write a rename to disk: it must outlive a power cut, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
