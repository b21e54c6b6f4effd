"""The API as the pages see it: methods that give frames, and errors that are sentences."""

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx2
import orjson
import polars as pl

_TIMEOUT = httpx2.Timeout(30.0, connect=3.0)
Value = str | int | bool | None

_TIME = pl.Datetime("us", "UTC")
_BARS = pl.Schema(
    {
        "timestamp": _TIME,
        "open": pl.Float64(),
        "high": pl.Float64(),
        "low": pl.Float64(),
        "close": pl.Float64(),
        "volume": pl.Float64(),
        "vwap": pl.Float64(),
        "source": pl.String(),
        "is_regular": pl.Boolean(),
    }
)
_SYMBOLS = pl.Schema(
    {
        "symbol": pl.String(),
        "source": pl.String(),
        "first": _TIME,
        "last": _TIME,
        "bars": pl.Int64(),
        "is_default": pl.Boolean(),
    }
)
_GAPS = pl.Schema({"session_date": pl.Date(), "start": _TIME, "end": _TIME, "minutes": pl.Int64()})


class ApiError(Exception):
    """The API does not do what was asked; the text is a sentence for the user."""


class ApiDownError(ApiError):
    """The API does not answer at all."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return (
            f"The API at {self.url} does not answer. Start it with `barlake up` or "
            "`uvicorn app.api.main:app`; BARLAKE_API_URL names another place."
        )


def api_url() -> str:
    """Where the API is: ``BARLAKE_API_URL``, or this machine at ``BARLAKE_API_PORT``."""
    port = os.environ.get("BARLAKE_API_PORT", "").strip() or "8000"
    return (os.environ.get("BARLAKE_API_URL", "").strip() or f"http://127.0.0.1:{port}").rstrip("/")


class Client:
    """Speaks to one API. Safe for threads; keeps its connections.

    Every method raises ApiError with a sentence when it does not get what it asked for.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx2.Client(timeout=_TIMEOUT, trust_env=False)

    def symbols(self) -> pl.DataFrame:
        """``symbol source first last bars is_default``, a row a series; times are UTC."""
        return _frame(self._get("/symbols")["symbols"], _SYMBOLS)

    def bars(self, symbol: str, **query: Value) -> pl.DataFrame:
        """Bars, oldest first: ``timestamp`` (UTC), prices in USD, ``volume`` in shares."""
        return _frame(self._get(f"/bars/{quote(symbol, safe='')}", **query)["bars"], _BARS)

    def gaps(self, symbol: str, **query: Value) -> pl.DataFrame:
        """Regular session minutes in no fetch: ``session_date start end minutes``."""
        return _frame(self._get(f"/coverage/{quote(symbol, safe='')}", **query)["gaps"], _GAPS)

    def ingest(self, symbol: str, **query: Value) -> dict[str, Any]:
        """Queue a download; the job, new or already under way."""
        return self._ask("POST", f"/ingest/{quote(symbol, safe='')}", query)

    def jobs(self, **query: Value) -> list[dict[str, Any]]:
        """Jobs, newest first."""
        return list(self._get("/jobs", **query)["jobs"])

    def agents(self) -> list[dict[str, Any]]:
        """Agents by name, with the age of their heartbeats in seconds."""
        return list(self._get("/agents")["agents"])

    def switches(self) -> list[dict[str, Any]]:
        """Every kind of agent, and whether a user lets it work."""
        return list(self._get("/agents")["switches"])

    def start(self, kind: str) -> dict[str, Any]:
        """Let a kind of agent work again."""
        return self._ask("POST", f"/agents/{quote(kind, safe='')}/start", {})

    def alerts(self, **query: Value) -> list[dict[str, Any]]:
        """What is wrong now, newest first."""
        return list(self._get("/alerts", **query)["alerts"])

    def health(self) -> dict[str, Any]:
        """``status`` and the state of lake, journal and broker."""
        return self._get("/health")

    def _get(self, path: str, **query: Value) -> dict[str, Any]:
        return self._ask("GET", path, query)

    def _ask(self, method: str, path: str, query: Mapping[str, Value]) -> dict[str, Any]:
        given = {name: value for name, value in query.items() if value not in (None, "")}
        try:
            answer = self._http.request(method, self.url + path, params=given)
        except httpx2.TimeoutException:
            problem = f"The API at {self.url} takes too long. Ask for less, or look at its log."
            raise ApiError(problem) from None
        except (httpx2.TransportError, httpx2.InvalidURL):
            raise ApiDownError(self.url) from None
        return _read(answer)


def _read(answer: httpx2.Response) -> dict[str, Any]:
    try:
        facts = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        facts = None
    if answer.is_success and isinstance(facts, dict):
        return facts
    said = facts.get("message") if isinstance(facts, dict) else None
    raise ApiError(
        said
        or f"{answer.url.host} answered {answer.status_code} and is perhaps not Barlake's API. "
        "BARLAKE_API_URL says where that is."
    )


def _frame(rows: list[dict[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    """Rows as a frame of known types; columns the API adds later are left out."""
    plain = {name: pl.String() if kind.is_temporal() else kind for name, kind in schema.items()}
    frame = pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in schema}, schema=plain, strict=False
    )
    times = [name for name, kind in schema.items() if kind == _TIME]
    days = [name for name, kind in schema.items() if kind == pl.Date]
    return frame.with_columns(
        pl.col(times).str.to_datetime(time_unit="us", time_zone="UTC"), pl.col(days).str.to_date()
    )
