"""JSON log lines: to stderr, to ``HOME/logs/AGENT.jsonl`` and into the journal.

Every line has the keys ``timestamp`` (UTC, RFC 3339), ``level``, ``agent``, ``symbol``, ``stage``,
``message``, ``job_id`` and ``trace_id``; those that nobody told are null. What Celery, uvicorn and
the standard library log goes through the same lines. Secrets never get out: values under telling
names are masked, and so is every text that doors name as secret. Logging never fails its caller.
"""

import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import structlog

if TYPE_CHECKING:
    from lake.journal import Journal
    from lake.journal.copying import Copier

KEYS = ("timestamp", "level", "agent", "symbol", "stage", "message", "job_id", "trace_id")
MASK = "***"

_MAX_FILE = 64 * 1024 * 1024
_SHORTEST_SECRET = 6
_TELLING = r"(?:secret|token|passw(?:or)?d|passphrase|authorization|credential|cookie|api[-_]?key)"
_TELLING_NAME = re.compile(rf"{_TELLING}|(?:^|[-_ ])key(?:s|[-_ ]?id)?$", re.IGNORECASE)
_TELLING_TEXT = re.compile(
    rf"({_TELLING}[\w-]*[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic)\s+)?)[^\s\"',;&}})]+",
    re.IGNORECASE,
)
_URL_PASSWORD = re.compile(r"(\w://[^/\s:@]*:)[^/\s@]+@")


def configure_logs(
    agent: str,
    *,
    home: Path,
    journal: "Journal | None",
    stderr: bool = True,
    level: str = "info",
    secrets: Iterable[str] = (),
) -> None:
    """Send every log line of this process to its places; call it again to change them.

    Call it anew after a fork, with a journal opened there: a forked child logs to the file and to
    stderr only, until then.

    Args:
        agent: Who speaks; a file of that name is appended to (kept under 64 MB, with one before).
        home: The lake's home; None of its folders need to be there.
        journal: Where lines are copied, in the background; None: nowhere.
        stderr: Whether lines go to stderr as well.
        level: The least level that is logged.
        secrets: Texts that no line may contain, like keys.
    """
    handler = _Lines(_open(home / "logs", agent), journal, stderr=stderr)
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Lines)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    _quieten()
    mask = Mask(secrets)
    chain: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _Shape(agent),
        mask,
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=chain,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _json],
        )
    )
    structlog.configure(
        processors=[*chain, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


def close_logs() -> None:
    """Bring the last lines home; for the end of a process that leaves without ``atexit``."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Lines):
            handler.close()


def logger(**facts: Any) -> structlog.stdlib.BoundLogger:
    """A logger; ``facts`` go into each of its lines."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(**facts)
    return bound


def log_context(**facts: Any) -> AbstractContextManager[None]:
    """Put ``facts`` (job_id, symbol, trace_id, stage ...) into every line logged in a block."""
    return structlog.contextvars.bound_contextvars(**facts)


class Mask:
    """Replaces secrets in an event: by the name they stand under, or by what they are."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Very short texts would hollow out every line, and no key is that short.
        self._secrets = tuple(text for text in secrets if len(text) >= _SHORTEST_SECRET)

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Mask an event of structlog."""
        return {name: self.value(name, value) for name, value in event.items()}

    def value(self, name: str, value: Any) -> Any:
        """A value that stands under a name, without what must not be seen."""
        if name.startswith("_"):  # structlog's own
            return value
        if _TELLING_NAME.search(name) and value not in (None, "", True, False):
            return MASK
        if isinstance(value, Mapping):
            return {key: self.value(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value("", item) for item in value]
        if isinstance(value, bytes):
            return self.text(value.decode("utf-8", "replace"))
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """A text without passwords in URLs, ``token=...`` and the like, and known secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return _URL_PASSWORD.sub(rf"\1{MASK}@", _TELLING_TEXT.sub(rf"\1{MASK}", text))


class _Shape:
    """Gives each event the same keys in the same order."""

    def __init__(self, agent: str) -> None:
        self._agent = agent

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["message"] = str(event.pop("event", ""))
        event["agent"] = self._agent
        event.pop("color_message", None)  # uvicorn says it twice, once in colours
        shaped: dict[str, Any] = {key: event.pop(key, None) for key in KEYS}
        return {**shaped, **event}


class _Lines(logging.Handler):
    """Formats a record once and hands the line to stderr, the file and the journal."""

    def __init__(self, file: int | None, journal: "Journal | None", *, stderr: bool) -> None:
        super().__init__()
        self._file, self._stderr = file, stderr
        self._copier = _make_copier(journal) if journal is not None else None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line. Nothing that goes wrong here may reach who logged it."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a log line that cannot be told must not stop the work
            line = _json(None, "", {"level": "error", "message": "a log line could not be written"})
        text = (line + "\n").encode()
        if self._file is not None:
            with suppress(OSError):
                os.write(self._file, text)  # one write: lines of several processes stay whole
        if self._stderr:
            with suppress(OSError, ValueError, AttributeError):
                sys.stderr.write(text.decode())
                sys.stderr.flush()
        if self._copier is not None:
            self._copier.add(line)

    def close(self) -> None:
        """Bring the last lines into the journal and let go of the file."""
        if self._copier is not None:
            self._copier.close()
            self._copier = None
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None
        super().close()


def _make_copier(journal: "Journal") -> "Copier":
    from lake.journal.copying import Copier

    return Copier(journal)


def _open(folder: Path, agent: str) -> int | None:
    """The agent's file, to append; None where it cannot be written."""
    name = re.sub(r"[^\w.@-]", "_", agent) or "agent"
    file = folder / f"{name}.jsonl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if file.exists() and file.stat().st_size > _MAX_FILE:
            file.replace(file.with_suffix(".1.jsonl"))
        return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError:
        return None


def _json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z
    return orjson.dumps(dict(event), default=_tell, option=options).decode()


def _tell(value: Any) -> str:
    return repr(value)


def _quieten() -> None:
    """Libraries that tell every request or migration at info are heard from warning on."""
    for name in ("alembic", "httpx", "httpcore", "urllib3", "sqlalchemy.engine"):
        logging.getLogger(name).setLevel(logging.WARNING)
