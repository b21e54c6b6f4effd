"""``python -m sandbox``: serve until Ctrl-C."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from sandbox.config import SandboxConfig
from sandbox.errors import ConfigError, SandboxError
from sandbox.profiles import DEFAULT_SYMBOLS
from sandbox.serve import serve

BAD_INPUT = 2


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, or 2 after one sentence about a bad input."""
    given = _parser().parse_args(arguments)
    try:
        config = _config(given)
        serve(config, lambda url: _say(url, config), until_eof=given.until_eof)
    except SandboxError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command prints
        return BAD_INPUT
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="An Alpaca-compatible server over a folder of bars, or over generated ones.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=8099, help="port; 0 takes a free one (%(default)s)")
    add("--data", type=Path, help="folder of SYMBOL.parquet files; without it bars are generated")
    add("--seed", type=int, default=1, help="chooses the generated market (%(default)s)")
    add("--symbols", default="", help=f"A,B,C (all of --data, or {','.join(DEFAULT_SYMBOLS)})")
    add("--now", help="a time that stands still, like 2024-11-29T16:00:00Z (the real clock)")
    add("--clock", help="a time to go on from, like 2024-11-04T09:25:00-05:00")
    add("--speed", type=float, default=1.0, help="virtual seconds a real one (%(default)s)")
    add("--rate-limit", type=int, default=10_000, help="requests a window (%(default)s)")
    add("--rate-window", type=int, default=60, help="its seconds (%(default)s)")
    add("--key", default="", help="the only key accepted (any)")
    add("--secret", default="", help="its secret")
    add("--free-plan", action="store_true", help="refuse SIP bars of the last 15 minutes")
    add("--late-trades", type=float, default=0.1, help="part of bars computed anew (%(default)s)")
    add("--auth-seconds", type=float, default=10.0, help="a stream's patience (%(default)s)")
    add("--stream-symbols", type=int, help="most symbols of a stream (30 with --free-plan)")
    add("--faults", default="", metavar="FILE|JSON", help="what goes wrong; see docs/sandbox.md")
    add("--fault-seed", type=int, help="decides when (that of --seed)")
    add("--until-eof", action="store_true", help="end when standard input closes")
    return parser


def _config(given: argparse.Namespace) -> SandboxConfig:
    return SandboxConfig(
        host=given.host,
        port=given.port,
        data=given.data,
        seed=given.seed,
        symbols=tuple(s.strip().upper() for s in given.symbols.split(",") if s.strip()),
        now=_instant("--now", given.now),
        begin=_instant("--clock", given.clock),
        speed=given.speed,
        rate_limit=given.rate_limit,
        rate_window=given.rate_window,
        key=given.key,
        secret=given.secret,
        free_plan=given.free_plan,
        late_trades=given.late_trades,
        auth_seconds=given.auth_seconds,
        stream_symbols=given.stream_symbols,
        faults=_faults(given.faults),
        fault_seed=given.fault_seed,
    )


def _faults(given: str) -> str:
    """The JSON itself, or what is in a file of it."""
    if not given or given.lstrip().startswith("{"):
        return given
    try:
        return Path(given).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--faults {given} cannot be read ({error.strerror}).") from None


def _instant(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{name} {text!r} is not a time like 2024-11-29T16:00:00Z.") from None
    return moment if moment.tzinfo is None else moment.astimezone(UTC)


def _say(url: str, config: SandboxConfig) -> None:
    key, secret = config.key or "any", "(the secret)" if config.secret else "any"
    print(  # noqa: T201 - a command prints
        f"Sandbox on {url} - set ALPACA_API_BASE_URL={url} ALPACA_API_KEY_ID={key} "
        f"ALPACA_API_SECRET_KEY={secret} - Ctrl-C ends it",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
