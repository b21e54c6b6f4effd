"""The files and the environment that the processes of one home share."""

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import AliasChoices, SecretStr

from lake.home import Home
from lake.settings import Settings


@dataclass(frozen=True)
class Place:
    """A home as its supervisors see it.

    Attributes:
        home: Its absolute path.
        settings: Of who started the supervisor; its children get the same.
    """

    home: Path
    settings: Settings

    @classmethod
    def of(cls, settings: Settings) -> "Place":
        """The place of some settings, with its folders made."""
        place = cls(settings.home.expanduser().resolve(), settings)
        place.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.logs.mkdir(parents=True, exist_ok=True)
        return place

    @property
    def run(self) -> Path:
        """Locks, sockets, process ids, what waits in the broker."""
        return Home(self.home).run

    @property
    def logs(self) -> Path:
        """What each process prints."""
        return Home(self.home).logs

    @property
    def up_lock(self) -> Path:
        """Held by ``barlake up``: one per home."""
        return self.run / "up.lock"

    @property
    def keeper_lock(self) -> Path:
        """Held by who runs the broker of the home: ``barlake up`` or the keeper."""
        return self.run / "keeper.lock"

    @property
    def members_lock(self) -> Path:
        """Shared by every process that needs the broker."""
        return self.run / "members.lock"

    @property
    def reloaders(self) -> Path:
        """Names of processes that start members again and again, one a line."""
        return self.run / "reloaders"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every child: ours, and the settings under their first names."""
        told = {**os.environ, "PYTHONUNBUFFERED": "1"}
        for name, field in Settings.model_fields.items():
            value = getattr(self.settings, name)
            text = value.get_secret_value() if isinstance(value, SecretStr) else value
            if isinstance(field.validation_alias, AliasChoices) and text not in ("", None):
                told[str(field.validation_alias.choices[0])] = str(text)
        return {**told, "BARLAKE_HOME": str(self.home)}
