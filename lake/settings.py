"""What may differ between two machines, read from the environment and ``.env``.

Only doors (the API, the command line, Celery tasks, ``main`` modules) load settings; the rooms
below take plain values.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

from dotenv.parser import parse_stream
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

from lake.errors import SettingsError, SymbolError
from lake.room import parse_room

ALPACA_DATA = "https://data.alpaca.markets"
ALPACA_PAPER = "https://paper-api.alpaca.markets"
ALPACA_STREAM = "wss://stream.data.alpaca.markets"
_LIST = "list:"
_SCHEMES = {"http", "https", "ws", "wss"}
_BROKERS = {"redis", "rediss", "redis+socket", "unix"}
_FEEDS = ("iex", "sip", "otc", "boats")
_TAKEN = {"alpaca", "file"}  # no other server may fill their coverage
_ALPACA_DATA_HOSTS = {"data.alpaca.markets", "data.sandbox.alpaca.markets"}
_ALPACA_TRADING_HOSTS = {"api.alpaca.markets", "paper-api.alpaca.markets"}


def _names(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Settings(BaseSettings):
    """All settings, frozen; ``.env.example`` lists them with placeholders."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    home: Path = Field(default=Path("data"), validation_alias=_names("BARLAKE_HOME"))
    redis_url: str = Field(default="", validation_alias=_names("REDIS_URL"))
    journal_url: str = Field(default="", validation_alias=_names("BARLAKE_JOURNAL_URL"))

    alpaca_key: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=_names(
            "ALPACA_API_KEY_ID", "ALPACA_KEY_ID", "APCA_API_KEY_ID", "APCA_KEY_ID"
        ),
    )
    alpaca_secret: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=_names(
            "ALPACA_API_SECRET_KEY", "ALPACA_SECRET_KEY", "APCA_API_SECRET_KEY", "APCA_SECRET_KEY"
        ),
    )
    alpaca_base_url: str = Field(
        default="", validation_alias=_names("ALPACA_API_BASE_URL", "APCA_API_BASE_URL")
    )
    alpaca_data_url: str = Field(
        default="", validation_alias=_names("ALPACA_DATA_URL", "APCA_API_DATA_URL", "APCA_DATA_URL")
    )
    alpaca_stream_url: str = Field(
        default="",
        validation_alias=_names("ALPACA_STREAM_URL", "APCA_API_STREAM_URL", "APCA_STREAM_URL"),
    )
    alpaca_feed: str = Field(
        default="iex",
        validation_alias=_names("ALPACA_FEED", "APCA_FEED"),
    )
    iex_token: SecretStr = Field(default=SecretStr(""), validation_alias=_names("IEX_TOKEN"))

    disk_floor: str = Field(default="500MB", validation_alias=_names("BARLAKE_DISK_FLOOR"))
    retention: str = Field(default="", validation_alias=_names("BARLAKE_RETENTION"))
    snapshots_kept: int = Field(
        default=7, ge=0, le=36500, validation_alias=_names("BARLAKE_SNAPSHOT_DAYS")
    )
    history: str = Field(default="2y", validation_alias=_names("BARLAKE_HISTORY"))
    host: str = Field(default="127.0.0.1", validation_alias=_names("BARLAKE_HOST"))
    api_port: int = Field(default=8000, ge=1, le=65535, validation_alias=_names("BARLAKE_API_PORT"))
    ui_port: int = Field(default=8501, ge=1, le=65535, validation_alias=_names("BARLAKE_UI_PORT"))
    api_url: str = Field(default="", validation_alias=_names("BARLAKE_API_URL"))
    allowed_hosts: str = Field(
        default="localhost,127.0.0.1,[::1]", validation_alias=_names("BARLAKE_ALLOWED_HOSTS")
    )
    trusted_clients: str = Field(default="", validation_alias=_names("BARLAKE_TRUSTED_CLIENTS"))
    workers: int = Field(default=2, ge=1, le=64, validation_alias=_names("BARLAKE_WORKERS"))
    watch: str = Field(default="", validation_alias=_names("BARLAKE_WATCH"))
    watch_by: str = Field(
        default="stream", pattern="^(stream|rest)$", validation_alias=_names("BARLAKE_WATCH_BY")
    )
    watch_hours: str = Field(
        default="sessions",
        pattern="^(sessions|always)$",
        validation_alias=_names("BARLAKE_WATCH_HOURS"),
    )
    source_name: str = Field(
        default="sandbox",
        pattern="^[a-z][a-z0-9_-]{0,31}$",
        validation_alias=_names("BARLAKE_SOURCE_NAME"),
    )

    alert_webhook: SecretStr = Field(
        default=SecretStr(""), validation_alias=_names("BARLAKE_ALERT_WEBHOOK")
    )
    mirror: Path | None = Field(default=None, validation_alias=_names("BARLAKE_MIRROR"))

    source_duckdb_path: Path | None = Field(
        default=None, validation_alias=_names("SOURCE_DUCKDB_PATH")
    )
    dest_duckdb_path: Path | None = Field(default=None, validation_alias=_names("DEST_DUCKDB_PATH"))
    dest_parquet_dir: Path | None = Field(default=None, validation_alias=_names("DEST_PARQUET_DIR"))

    @field_validator("alpaca_base_url", "alpaca_data_url", "alpaca_stream_url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        if url and (urlsplit(url).scheme not in _SCHEMES or not _host(url)):
            raise ValueError(f"{url[:80]!r} is no address like http://localhost:8099")
        return url

    @field_validator("alert_webhook")
    @classmethod
    def _is_webhook(cls, url: SecretStr) -> SecretStr:
        address = url.get_secret_value()
        if address and (urlsplit(address).scheme not in {"http", "https"} or not _host(address)):
            raise ValueError("it is no address like https://example.org/hook")
        return url

    @field_validator("redis_url")
    @classmethod
    def _is_broker(cls, url: str) -> str:
        if url and urlsplit(url).scheme not in _BROKERS:
            raise ValueError("it is no address like redis://localhost:6379/0")
        return url

    @field_validator("journal_url")
    @classmethod
    def _is_database(cls, url: str) -> str:
        if url and "://" not in url:
            raise ValueError("it is no address like postgresql://host/name")
        return url

    @field_validator("alpaca_feed")
    @classmethod
    def _is_feed(cls, feed: str) -> str:
        if feed not in _FEEDS:
            raise ValueError(f"{feed[:40]!r} is none of {', '.join(_FEEDS)}")
        return feed

    @field_validator("history")
    @classmethod
    def _is_history(cls, history: str) -> str:
        if not re.fullmatch(r"[1-9]\d{0,3}[dwmy]", history):
            raise ValueError(f"{history[:40]!r} is no time span like 30d, 8w, 6m or 2y")
        return history

    @field_validator("disk_floor")
    @classmethod
    def _is_room(cls, text: str) -> str:
        parse_room(text)
        return text

    @field_validator("retention")
    @classmethod
    def _are_rules(cls, text: str) -> str:
        from lake.upkeep.rules import RuleError, parse_rules

        try:
            parse_rules(text)
        except RuleError as error:
            raise ValueError(str(error).rstrip(".")) from None
        return text

    @field_validator("watch")
    @classmethod
    def _are_symbols(cls, text: str) -> str:
        try:
            _symbols(text)
        except SymbolError as error:
            raise ValueError(str(error).rstrip(".")) from None
        return text

    @field_validator("home")
    @classmethod
    def _is_folder(cls, home: Path) -> Path:
        if home.exists() and not home.is_dir():
            raise ValueError(f"{home} is a file; name a folder")
        return home

    @field_validator("source_name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in _TAKEN:
            raise ValueError(f"{name} is the name of another source")
        return name

    @property
    def data_url(self) -> str:
        """The host of historical data, without a slash at its end."""
        base = self._base
        if self.alpaca_data_url:
            return self.alpaca_data_url.rstrip("/")
        return ALPACA_DATA if not base or _host(base) in _ALPACA_TRADING_HOSTS else base

    @property
    def trading_url(self) -> str:
        """The host of calendar, assets and orders, without a slash at its end."""
        base = self._base
        return ALPACA_PAPER if not base or _host(base) in _ALPACA_DATA_HOSTS else base

    @property
    def stream_url(self) -> str:
        """The host of live data, without a slash at its end."""
        base = self._base
        if self.alpaca_stream_url:
            return self.alpaca_stream_url.rstrip("/")
        if not base or _host(base) in _ALPACA_DATA_HOSTS | _ALPACA_TRADING_HOSTS:
            return ALPACA_STREAM
        return "ws" + base.removeprefix("http")

    @property
    def source(self) -> str:
        """Provider and feed, like ``alpaca:iex``; any host that is not Alpaca's is another one."""
        provider = "alpaca" if _host(self.data_url) in _ALPACA_DATA_HOSTS else self.source_name
        return f"{provider}:{self.alpaca_feed}"

    @property
    def watched(self) -> tuple[str, ...]:
        """The symbols whose bars are fetched as they come, in the order of the alphabet."""
        return _symbols(self.watch)

    @property
    def watched_lists(self) -> tuple[str, ...]:
        """The named lists whose members' bars are fetched as they come."""
        return tuple(word.removeprefix(_LIST) for word in _words(self.watch) if _is_list(word))

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences a door says once at its start, about settings that do nothing."""
        if self.iex_token.get_secret_value():
            return ("IEX_TOKEN is set, but that service is gone; ALPACA_FEED=iex replaces it.",)
        return ()

    @property
    def _base(self) -> str:
        return self.alpaca_base_url.rstrip("/").removesuffix("/v2")


def load_settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: A value or the file ``.env`` cannot be used; the sentence says which.
    """
    try:
        _check_env_file(Path(".env"))
        return Settings()
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None
    except (UnreadableError, UnicodeDecodeError, OSError) as error:
        problem = (
            f"The file .env cannot be read ({type(error).__name__}). "
            "Write it as lines of NAME=value, in UTF-8; .env.example shows each."
        )
        raise SettingsError(problem) from None


def _check_env_file(file: Path) -> None:
    """Refuse what would be passed over in silence: a setting lost is another lake, or no key."""
    if file.is_dir():
        raise SettingsError("The file .env is a folder. Write a file of NAME=value lines instead.")
    if not file.exists():
        return
    with file.open(encoding="utf-8") as lines:
        for binding in parse_stream(lines):
            if binding.error or (binding.key is not None and binding.value is None):
                problem = (
                    f"Line {binding.original.line} of .env is not NAME=value. "
                    "Mend it; .env.example shows each."
                )
                raise SettingsError(problem)


def _symbols(text: str) -> tuple[str, ...]:
    """The tickers among what is named; names of lists are left out."""
    from lake.schema import check_symbol  # of weight, and seldom needed

    return tuple(sorted({check_symbol(word) for word in _words(text) if not _is_list(word)}))


def _is_list(word: str) -> bool:
    return word.startswith(_LIST)


def _words(text: str) -> list[str]:
    """What is named, apart by commas or spaces; or in a file whose name follows an ``@``."""
    if text.startswith("@"):
        file = Path(text[1:]).expanduser()
        try:
            text = " ".join(line.partition("#")[0] for line in file.read_text().splitlines())
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{file} cannot be read ({type(error).__name__})") from None
    return text.replace(",", " ").split()


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _explain(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    return f"The setting {name} cannot be used: {said}. Mend it in .env or the environment; .env.example shows each."
