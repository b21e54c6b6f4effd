"""A provider on loopback that costs next to nothing: five years of minutes, for whatever symbol.

python -m bench.provider        serves on a free port, prints it, until it is killed

It speaks enough of Alpaca's protocol for a backfill and for alpaca-py; each page is cut out of one
long text that is made before.
"""

import base64
import bisect
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from urllib.parse import parse_qs, urlsplit

from bench import market

_A_MINUTE = 10_000


class History:
    """The bars of every symbol, as JSON."""

    def __init__(self) -> None:
        bars = market.minutes("SPY")
        texts = bars["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").to_list()
        columns = ("close", "high", "low", "trade_count", "open", "volume", "vwap")
        rows = zip(texts, *(bars[name].to_list() for name in columns), strict=True)
        parts = [
            b'{"c":%s,"h":%s,"l":%s,"n":%d,"o":%s,"t":"%s","v":%d,"vw":%s},'
            % (_text(c), _text(h), _text(low), n, _text(o), t.encode(), int(v), _text(vw))
            for t, c, h, low, n, o, v, vw in rows
        ]
        self.times = texts
        self._ends = [0, *accumulate(len(part) for part in parts)]
        self._text = memoryview(b"".join(parts))

    def between(self, first: int, last: int) -> bytes:
        """Bars by their number, end outside, with commas between."""
        return bytes(self._text[self._ends[first] : self._ends[last] - 1])

    def page(self, asked: dict[str, str]) -> bytes:
        """One answer to a request."""
        symbols = sorted(asked["symbols"].split(","))
        low = bisect.bisect_left(self.times, _utc(asked["start"]))
        high = bisect.bisect_right(self.times, _utc(asked["end"]))
        limit = int(asked.get("limit", "1000"))
        at, position = _read(asked.get("page_token"), low)
        found: list[bytes] = []
        while limit and at < len(symbols):
            last = min(position + limit, high)
            if last > position:
                text = self.between(position, last)
                found.append(b'"%s":[%s]' % (symbols[at].encode(), text))
            limit -= last - position
            at, position = (at, last) if last < high else (at + 1, low)
        token = b'"%s"' % _token(at, position) if at < len(symbols) else b"null"
        return b'{"bars":{%s},"next_page_token":%s}' % (b",".join(found), token)


def _text(value: float) -> bytes:
    return repr(value).encode()


def _utc(text: str) -> str:
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _token(at: int, position: int) -> bytes:
    return base64.b64encode(b"%d|%d" % (at, position))


def _read(token: str | None, low: int) -> tuple[int, int]:
    if token is None:
        return 0, low
    at, position = base64.b64decode(token).split(b"|")
    return int(at), int(position)


class Handler(BaseHTTPRequestHandler):
    """Answers everything at once."""

    protocol_version = "HTTP/1.1"
    history: History

    def do_GET(self) -> None:
        """Bars, or nothing of anything else."""
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.endswith("/stocks/bars"):
            body = self.history.page(asked)
        elif parts.path.endswith("/corporate-actions"):
            body = b'{"corporate_actions":{},"next_page_token":null}'
        else:
            body = b'{"message": "not here"}'
        self.send_response(200 if "bars" in parts.path or "actions" in parts.path else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-RateLimit-Limit", str(_A_MINUTE))
        self.send_header("X-RateLimit-Remaining", str(_A_MINUTE - 1))
        self.send_header("X-RateLimit-Reset", str(int(datetime.now(UTC).timestamp()) + 60))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


def main() -> None:
    """Serve until killed."""
    Handler.history = History()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
