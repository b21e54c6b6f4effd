"""Pages of bars that are wrong, though each is good JSON."""

import random
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from sandbox.errors import BadRequestError
from sandbox.faults import Fault
from sandbox.pages import BarsQuery, Page, read_page, read_token, write_swap, write_token
from sandbox.store import BarStore
from sandbox.times import utc_text

#: Faults of pages, and those of them that need a page token.
OF_PAGES = {
    "duplicate_page", "swapped_page", "duplicate_rows", "shuffled_rows", "short_page",
    "empty_page", "null_bars", "expired_token", "missing_token", "outside_bar", "future_bar",
}  # fmt: skip
OF_TOKENS = {"expired_token", "duplicate_page"}
MOST_TOKENS = 20_000
DAY = 86_400
HOUR = 3600

Rows = dict[str, list[bytes]]


@dataclass(frozen=True)
class Answer:
    """A page, and what its JSON lacks."""

    page: Page
    null: bool = False
    without_token: bool = False


class Pages:
    """Reads pages, wrong ones where a fault says so.

    Args:
        store: The bars.
        seed: Tells the seed that decides how a page is wrong.
    """

    def __init__(self, store: BarStore, seed: Callable[[], int]) -> None:
        self._store, self._seed = store, seed
        self._came_from: OrderedDict[tuple[str, BarsQuery], BarsQuery] = OrderedDict()

    def read(self, query: BarsQuery, fault: Fault | None, number: int) -> Answer:
        """The page of a query.

        Args:
            query: What is asked for.
            fault: What goes wrong, if anything.
            number: Of the request.

        Raises:
            BadRequestError: The page's token has expired.
        """
        if fault is None or fault.name not in OF_PAGES:
            return Answer(self._right(query))
        dice = random.Random(f"{self._seed()}|{fault.name}|{number}")  # noqa: S311 - a choice, no secret
        if fault.name == "expired_token":
            raise BadRequestError("invalid page_token")
        if fault.name in {"duplicate_page", "swapped_page", "short_page"}:
            return Answer(self._other(query, fault.name, dice))
        page = self._right(query)
        if fault.name == "missing_token":
            return Answer(page, without_token=True)
        if fault.name in {"empty_page", "null_bars"}:
            empty = Page({}, self._same_place(query)) if page.bars else page
            return Answer(empty, null=fault.name == "null_bars")
        return Answer(self._mixed(query, page, fault.name, dice))

    def _right(self, query: BarsQuery) -> Page:
        page = read_page(self._store, query)
        if query.then is not None:
            page = Page(page.bars, query.then or None)
        if page.token:
            self._came_from[page.token, _anywhere(query)] = query
            if len(self._came_from) > MOST_TOKENS:
                self._came_from.popitem(last=False)
        return page

    def _other(self, query: BarsQuery, name: str, dice: random.Random) -> Page:
        """The page before, the next one, or a part of this one."""
        if name == "duplicate_page":
            before = self._came_from.get((query.token, _anywhere(query)))
            return self._right(before or query)
        if name == "short_page":
            return self._right(replace(query, limit=dice.randint(1, max(query.limit // 2, 1))))
        first = self._right(query)
        if first.token is None or query.then is not None:
            return first
        after = replace(query, after=read_token(first.token), token=first.token)
        second = self._right(after)
        return Page(second.bars, write_swap(query.token, second.token))

    def _same_place(self, query: BarsQuery) -> str:
        """The token of a page that begins where this one does."""
        if query.token:
            return query.token
        edge = query.last + 1 if query.newest_first else query.first - 1
        return write_token(query.symbols[0], edge, query.view)

    def _mixed(self, query: BarsQuery, page: Page, name: str, dice: random.Random) -> Page:
        rows = {symbol: split_rows(b",".join(parts)) for symbol, parts in page.bars.items()}
        if not rows:
            return page
        if name == "shuffled_rows":
            for some in rows.values():
                dice.shuffle(some)
            rows = dict(sorted(rows.items(), key=lambda _: dice.random()))
        elif name == "duplicate_rows":
            for some in rows.values():
                some.extend(dice.choices(some, k=3))
        else:
            moment = query.first - DAY if name == "outside_bar" else self._store.clock() + HOUR
            symbol = dice.choice(sorted(rows))
            rows[symbol].append(_moved(rows[symbol][-1], int(moment) // 60 * 60))
        return Page({symbol: [b",".join(some)] for symbol, some in rows.items()}, page.token)


def split_rows(text: bytes) -> list[bytes]:
    """The bars of a text, one each."""
    return [b"{%b}" % row for row in text[1:-1].split(b"},{")]


def _moved(row: bytes, moment: int) -> bytes:
    """A bar at another time."""
    begin = row.index(b'"t":"') + 5
    return row[:begin] + utc_text(moment).encode() + row[row.index(b'"', begin) :]


def _anywhere(query: BarsQuery) -> BarsQuery:
    """A query without its place, which tells that two pages belong together."""
    return replace(query, after=None, token="", then=None, limit=0)
