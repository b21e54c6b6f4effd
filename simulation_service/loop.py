"""The minutes of one market as a compiled loop; :mod:`simulation_service.fast` hands it what it needs.

Functions are named as those of :mod:`simulation_service.reference`, which says why. Arithmetic is in
the same order, so that both round alike. All of it is in one file, as compiled functions must be.
"""

import math

import numpy as np
from numpy.typing import NDArray

from feature_service.compiled import compiled
from simulation_service.market import Flags
from simulation_service.run import Floats, Integers

# What is owned and what waits: places in one array.
CASH, POS, AVERAGE, BEST, ENTERED, PROTECTED, INSIDE, CAUSE = range(8)
X_LEFT, X_DECIDED, X_WHY, N_LEFT, N_DECIDED, N_SIDE, N_LIMIT = range(8, 15)
CUT, REFUSED, LAPSED, WITHDRAWN, ORDERS, PAYMENTS = range(15, 21)
# What was chosen: places in another.
OFF, IMPACT, PER_SHARE, PERCENT, PER_ORDER, BORROW, CAP, AT_CLOSE = range(8)
LIMIT_OFF, STOP, PROFIT, TRAIL, SIDES, WHOLE, FLAT = range(8, 15)
SIZING, FIRST, SECOND, BAND, TRIMS, YEAR = range(15, 21)

ENTRY, EXIT, STOP_LOSS, TAKE_PROFIT, TRAILING_STOP, FLAT_WHY, IN_LIEU = range(7)
ALL_IN, FIXED, FRACTION, VOLATILITY = range(4)
SIDE_NAMES = ("long", "both", "short")
COLUMNS, HALVINGS, ROOM = 10, 50, 1_024
# Whether a price is what is paid, or is slipped first.
EXACTLY, SLIPPED = True, False


@compiled
def run_through(  # noqa: C901, PLR0912, PLR0915, PLR0917 - the minutes
    state: Floats,
    chosen: Floats,
    prices: tuple[Floats, Floats, Floats, Floats, Floats],
    days: tuple[Integers, Flags],
    directions: NDArray[np.int8],
    beside: tuple[Floats, Floats],
    events: tuple[Floats, Floats],
    rates: Floats,
    curves: tuple[Floats, Floats],
    tables: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:
    """One bar after another; gives the tables of orders and of payments, as long as they became."""
    opens, highs, lows, closes, volumes = prices
    sessions, halted = days
    strengths, volatilities = beside
    splits, dividends = events
    equity, held = curves
    orders, payments = tables
    bars, rate, split, dividend = len(closes), 0, 0, 0
    at_close, flat, all_in = chosen[AT_CLOSE] > 0, chosen[FLAT] > 0, chosen[SIZING] == ALL_IN
    needs_volume = chosen[CAP] > 0 or chosen[IMPACT] > 0
    trails = chosen[TRAIL] > 0
    guards = trails or chosen[STOP] > 0 or chosen[PROFIT] > 0
    buy_side = 0.0 if chosen[SIDES] == 2 else 1.0  # noqa: PLR2004 - short only
    sell_side = 0.0 if chosen[SIDES] == 0 else -1.0
    held_now, cash, waits, row = 0.0, state[CASH], False, 0
    while row < bars:
        if state[ORDERS] + 8 > len(orders):
            more = np.empty((2 * len(orders), COLUMNS))
            more[: len(orders)] = orders
            orders = more
        if state[PAYMENTS] + 8 > len(payments):
            longer = np.empty((2 * len(payments), 4))
            longer[: len(payments)] = payments
            payments = longer
        first = row == 0 or sessions[row] != sessions[row - 1]
        if first:
            while rate + 1 < len(rates) and rates[rate + 1, 0] <= sessions[row]:
                rate += 1
            if row > 0:
                dividend, split = _morning(
                    state, chosen, (opens[row], closes[row - 1]), row,
                    (dividends, splits), (dividend, split), (orders, payments),
                )  # fmt: skip
                held_now, cash, waits = state[POS], state[CASH], False
        close, direction = closes[row], directions[row]
        asks = False
        if direction != 0 and not (waits and state[CAUSE] == direction):
            side = buy_side if direction > 0 else sell_side
            done = held_now == 0 if side == 0 else all_in and held_now * side > 0
            asks = waits or not done
        # Most bars change nothing: no order waits, no stop is near, and the signal repeats itself.
        if not (waits or asks):
            on_buy = held_now != 0 if buy_side == 0 else not (all_in and held_now * buy_side > 0)
            on_sell = held_now != 0 if sell_side == 0 else not (all_in and held_now * sell_side > 0)
            stops = (flat and held_now != 0, guards and held_now != 0)
            after = _quiet(
                state, chosen, row, (sessions, directions), (highs, lows, closes),
                (on_buy, on_sell), stops, (cash, held_now), curves,
            )  # fmt: skip
            if after > row:
                row = after
                continue
        touched = False
        if held_now != 0:
            touched = flat and (row + 1 == bars or sessions[row] != sessions[row + 1])
            if guards and not waits:
                touched = touched or _near(state, chosen, held_now, highs[row], lows[row])
        if waits or asks or touched:
            taken, volume = rates[rate], volumes[row]
            bar = (opens[row], highs[row], lows[row], close)
            traded = not halted[row] and not (needs_volume and volume <= 0)
            if traded and not at_close:
                if waits or (guards and held_now != 0):
                    _fills(state, chosen, taken, bar, volume, row, orders)
                last = row + 1 == bars or sessions[row] != sessions[row + 1]
                if flat and last and state[POS] != 0:
                    _flat(state, chosen, taken, close, volume, row, orders)
            if trails:
                _see(state, bar)
            state[PROTECTED] = state[INSIDE] = 0.0
            if direction != 0:
                strength = strengths[row] if len(strengths) else 1.0
                volatility = volatilities[row] if len(volatilities) else np.nan
                _decide(state, chosen, taken, close, direction, strength, volatility, row)
                if at_close:
                    if traded:
                        _exit_at(state, chosen, taken, close, volume, row, orders)
                        _entry_at(state, chosen, taken, close, volume, row, orders)
                    state[LAPSED] += (state[X_LEFT] > 0) + (state[N_LEFT] > 0)
                    state[X_LEFT] = state[N_LEFT] = 0.0
            held_now, cash = state[POS], state[CASH]
            waits = state[X_LEFT] > 0 or state[N_LEFT] > 0
        elif trails:
            if held_now > 0:
                state[BEST] = max(state[BEST], highs[row])
            elif held_now < 0:
                state[BEST] = min(state[BEST], lows[row])
        equity[row] = cash + held_now * close
        held[row] = held_now
        row += 1
    return orders, payments


@compiled
def _quiet(  # noqa: PLR0917 - what a bar is looked at for
    state: Floats,
    chosen: Floats,
    row: int,
    told: tuple[Integers, NDArray[np.int8]],
    prices: tuple[Floats, Floats, Floats],
    asks: tuple[bool, bool],
    stops: tuple[bool, bool],
    owned: tuple[float, float],
    curves: tuple[Floats, Floats],
) -> int:
    """Passes the bars of a session that change nothing; gives the first one that may, or the end.

    A loop of its own, for the other one's tables may be replaced by longer ones, and Numba counts
    what may be replaced at every bar.
    """
    sessions, directions = told
    highs, lows, closes = prices
    on_buy, on_sell = asks
    ends, guarded = stops
    cash, held_now = owned
    equity, held = curves
    session, bars = sessions[row], len(closes)
    trails = guarded and chosen[TRAIL] > 0
    while row < bars and sessions[row] == session:
        direction = directions[row]
        if (direction > 0 and on_buy) or (direction < 0 and on_sell):
            break
        if ends and (row + 1 == bars or sessions[row + 1] != session):
            break
        if guarded:
            if _near(state, chosen, held_now, highs[row], lows[row]):
                break
            if trails and held_now > 0:
                state[BEST] = max(state[BEST], highs[row])
            elif trails:
                state[BEST] = min(state[BEST], lows[row])
        equity[row] = cash + held_now * closes[row]
        held[row] = held_now
        row += 1
    return row


@compiled
def _near(state: Floats, chosen: Floats, held: float, high: float, low: float) -> bool:
    """Whether a bar comes to a stop or to the take-profit."""
    sign = 1.0 if held > 0 else -1.0
    worst, best = (low, high) if sign > 0 else (high, low)
    stop, _ = _nearest(state, chosen, sign)
    if sign * worst <= sign * stop:
        return True
    profit = state[AVERAGE] * (1 + sign * chosen[PROFIT])
    return bool(chosen[PROFIT] > 0 and sign * best >= sign * profit)


@compiled
def _morning(
    state: Floats,
    chosen: Floats,
    seen: tuple[float, float],
    row: int,
    events: tuple[Floats, Floats],
    places: tuple[int, int],
    tables: tuple[Floats, Floats],
) -> tuple[int, int]:
    """Orders lapse; borrow fee, dividends, splits."""
    opened, mark = seen
    dividends, splits = events
    dividend, split = places
    orders, payments = tables
    state[LAPSED] += (state[X_LEFT] > 0) + (state[N_LEFT] > 0)
    state[X_LEFT] = state[N_LEFT] = 0.0
    if state[POS] < 0:
        fee = -state[POS] * mark * chosen[BORROW] / 100 / 252
        if fee > 0:
            state[CASH] -= fee
            _pay(state, payments, row, -fee, 1.0)
    while dividend < len(dividends) and dividends[dividend, 0] <= row:
        if state[POS] != 0:
            amount = state[POS] * dividends[dividend, 1]
            state[CASH] += amount
            _pay(state, payments, row, amount, 0.0)
        dividend += 1
    while split < len(splits) and splits[split, 0] <= row:
        if state[POS] != 0:
            _split(state, chosen, splits[split, 1], opened, row, orders)
        split += 1
    return dividend, split


@compiled
def _pay(state: Floats, payments: Floats, row: int, amount: float, borrow: float) -> None:
    at = int(state[PAYMENTS])
    payments[at, 0], payments[at, 1], payments[at, 2], payments[at, 3] = row, 0.0, amount, borrow
    state[PAYMENTS] += 1


@compiled
def _split(
    state: Floats, chosen: Floats, ratio: float, price: float, row: int, orders: Floats
) -> None:
    sign = 1.0 if state[POS] > 0 else -1.0
    size = abs(state[POS]) * ratio
    state[AVERAGE] /= ratio
    state[BEST] /= ratio
    state[POS] = sign * size
    if not chosen[WHOLE]:
        return
    fraction = size - math.floor(size)
    if fraction > 0:
        amount = fraction * price
        state[CASH] += sign * amount
        state[POS] = sign * math.floor(size)
        _note(state, orders, row, row, -sign, fraction, price, 0.0, amount, IN_LIEU)


@compiled
def _note(  # noqa: PLR0917 - the columns
    state: Floats,
    orders: Floats,
    decided: float,
    row: int,
    side: float,
    shares: float,
    price: float,
    costs: float,
    amount: float,
    why: float,
) -> None:
    at = int(state[ORDERS])
    orders[at, 0], orders[at, 1], orders[at, 2], orders[at, 3] = decided, row, 0.0, side
    orders[at, 4], orders[at, 5], orders[at, 6], orders[at, 7] = shares, price, costs, amount
    orders[at, 8], orders[at, 9] = why, state[POS]
    state[ORDERS] += 1


@compiled
def _most(chosen: Floats, volume: float) -> float:
    """Shares that one order may take of a bar."""
    if chosen[CAP] == 0:
        return np.inf
    most: float = chosen[CAP] * volume
    return math.floor(most) if chosen[WHOLE] else most


@compiled
def _each(
    chosen: Floats, shares: float, base: float, side: float, limit: float, volume: float
) -> float:
    """What a share costs or brings; never worse than a limit, which is NaN for none."""
    share = shares / volume if chosen[IMPACT] > 0 else 0.0
    off = chosen[OFF] + chosen[IMPACT] * (share * share)
    found: float = base * (1 + off) if side > 0 else max(base * (1 - off), 0.0)
    if np.isnan(limit):
        return found
    return min(found, limit) if side > 0 else max(found, limit)


@compiled
def _fee(chosen: Floats, taken: Floats, shares: float, price: float, side: float) -> float:
    amount = shares * price
    fee = shares * chosen[PER_SHARE] + amount * chosen[PERCENT] / 100 + chosen[PER_ORDER]
    fee = fee + shares * taken[4]
    if side < 0:
        fee = fee + amount * taken[1] + min(shares * taken[2], taken[3])
    found: float = min(fee, amount)
    return found


@compiled
def _cost(  # noqa: PLR0917 - what it depends on
    chosen: Floats,
    taken: Floats,
    shares: float,
    base: float,
    side: float,
    limit: float,
    exactly: bool,  # noqa: FBT001 - compiled functions take no keywords
    volume: float,
) -> float:
    """USD that an entry binds."""
    each = base if exactly else _each(chosen, shares, base, side, limit, volume)
    fee = _fee(chosen, taken, shares, each, side)
    return shares * (each if side > 0 else 2 * base - each) + fee


@compiled
def _paid_for(  # noqa: PLR0917 - as above
    chosen: Floats,
    taken: Floats,
    wanted: float,
    base: float,
    side: float,
    limit: float,
    exactly: bool,  # noqa: FBT001
    volume: float,
    free: float,
) -> float:
    """As many of the shares wanted as the free cash pays for."""
    if _cost(chosen, taken, wanted, base, side, limit, exactly, volume) <= free:
        return wanted
    least, most = 0.0, wanted
    if chosen[WHOLE]:
        if _cost(chosen, taken, 1.0, base, side, limit, exactly, volume) > free:
            return 0.0
        while most - least > 1:
            middle = float(math.floor((least + most) / 2))
            if _cost(chosen, taken, middle, base, side, limit, exactly, volume) <= free:
                least = middle
            else:
                most = middle
        return least
    for _ in range(HALVINGS):
        middle = (least + most) * 0.5
        if _cost(chosen, taken, middle, base, side, limit, exactly, volume) <= free:
            least = middle
        else:
            most = middle
    return math.floor(least * 1e6) / 1e6


@compiled
def _fills(
    state: Floats,
    chosen: Floats,
    taken: Floats,
    bar: tuple[float, float, float, float],
    volume: float,
    row: int,
    orders: Floats,
) -> None:
    """Exits at the open, the entry at the open, exits within the bar, an entry within it."""
    opened = bar[0]
    _exit_at(state, chosen, taken, opened, volume, row, orders)
    _exits_at_open(state, chosen, taken, opened, volume, row, orders)
    _entry_at(state, chosen, taken, opened, volume, row, orders)
    _exits_within(state, chosen, taken, bar, opened, volume, row, orders)
    side, limit = state[N_SIDE], state[N_LIMIT]
    if state[N_LEFT] <= 0 or np.isnan(limit) or side * opened <= side * limit:
        return
    worst = bar[2] if side > 0 else bar[1]
    if side * worst < side * limit:
        before = state[POS]
        _add(state, chosen, taken, limit, opened, EXACTLY, volume, row, orders)
        if state[POS] != before:
            state[INSIDE] = 1.0
            _exits_within(state, chosen, taken, bar, limit, volume, row, orders)


@compiled
def _exit_at(
    state: Floats, chosen: Floats, taken: Floats, price: float, volume: float, row: int, orders: Floats
) -> None:  # fmt: skip
    if state[X_LEFT] <= 0 or state[POS] == 0:
        state[X_LEFT] = 0.0
        return
    wanted = min(state[X_LEFT], abs(state[POS]))
    shares = min(wanted, _most(chosen, volume))
    if shares > 0:
        why, decided = state[X_WHY], state[X_DECIDED]
        _reduce(
            state, chosen, taken, shares, price, np.nan, SLIPPED, why, decided, volume, row, orders
        )
    state[X_LEFT] = wanted - shares


@compiled
def _exits_at_open(
    state: Floats, chosen: Floats, taken: Floats, opened: float, volume: float, row: int, orders: Floats
) -> None:  # fmt: skip
    if state[POS] == 0 or (state[X_LEFT] > 0 and state[X_WHY] != EXIT):
        return
    sign = 1.0 if state[POS] > 0 else -1.0
    stop, why = _nearest(state, chosen, sign)
    profit = state[AVERAGE] * (1 + sign * chosen[PROFIT])
    if sign * opened <= sign * stop:
        _protect(state, chosen, taken, why, opened, np.nan, SLIPPED, volume, row, orders)
    elif chosen[PROFIT] > 0 and sign * opened >= sign * profit:
        _protect(state, chosen, taken, TAKE_PROFIT, opened, profit, SLIPPED, volume, row, orders)


@compiled
def _nearest(state: Floats, chosen: Floats, sign: float) -> tuple[float, int]:
    """The price of the nearer stop and which it is; NaN without one."""
    stop, why = np.nan, STOP_LOSS
    if chosen[STOP] > 0:
        stop = state[AVERAGE] * (1 - sign * chosen[STOP])
    if chosen[TRAIL] > 0:
        trail = state[BEST] * (1 - sign * chosen[TRAIL])
        if np.isnan(stop) or sign * trail > sign * stop:
            stop, why = trail, TRAILING_STOP
    return stop, why


@compiled
def _exits_within(  # noqa: PLR0917 - as above
    state: Floats,
    chosen: Floats,
    taken: Floats,
    bar: tuple[float, float, float, float],
    price: float,
    volume: float,
    row: int,
    orders: Floats,
) -> None:
    pending = state[X_LEFT] > 0 and state[X_WHY] != EXIT
    if state[POS] == 0 or state[PROTECTED] > 0 or pending:
        return
    sign = 1.0 if state[POS] > 0 else -1.0
    worst, best = (bar[2], bar[1]) if sign > 0 else (bar[1], bar[2])
    stop, why = _nearest(state, chosen, sign)
    profit = state[AVERAGE] * (1 + sign * chosen[PROFIT])
    if sign * worst <= sign * stop:
        base = min(stop, price) if sign > 0 else max(stop, price)
        _protect(state, chosen, taken, why, base, np.nan, SLIPPED, volume, row, orders)
    elif chosen[PROFIT] > 0 and state[INSIDE] == 0 and sign * best > sign * profit:
        _protect(state, chosen, taken, TAKE_PROFIT, profit, profit, EXACTLY, volume, row, orders)


@compiled
def _entry_at(
    state: Floats, chosen: Floats, taken: Floats, price: float, volume: float, row: int, orders: Floats
) -> None:  # fmt: skip
    if state[N_LEFT] <= 0:
        return
    side, limit = state[N_SIDE], state[N_LIMIT]
    if np.isnan(limit) or side * price <= side * limit:
        _add(state, chosen, taken, price, price, SLIPPED, volume, row, orders)


@compiled
def _add(  # noqa: PLR0917 - as above
    state: Floats,
    chosen: Floats,
    taken: Floats,
    base: float,
    opened: float,
    exactly: bool,  # noqa: FBT001
    volume: float,
    row: int,
    orders: Floats,
) -> None:
    side, limit = state[N_SIDE], state[N_LIMIT]
    if state[POS] * side < 0:
        return
    wanted = min(state[N_LEFT], _most(chosen, volume))
    if wanted <= 0:
        return
    owed = max(-state[POS], 0.0)
    free = state[CASH] - 2 * (owed * base)
    if exactly:
        free = min(free, state[CASH] - 2 * (owed * opened))
    free = max(free, 0.0)
    shares = _paid_for(chosen, taken, wanted, base, side, limit, exactly, volume, free)
    if shares < wanted:
        state[CUT if shares > 0 else REFUSED] += 1
        state[N_LEFT] = shares
    if shares > 0:
        each = base if exactly else _each(chosen, shares, base, side, limit, volume)
        fee, held = _fee(chosen, taken, shares, each, side), abs(state[POS])
        if held == 0:
            state[AVERAGE] = state[BEST] = each
            state[ENTERED] = row
        else:
            state[AVERAGE] = (state[AVERAGE] * held + each * shares) / (held + shares)
        decided = state[N_DECIDED]
        _book(state, side, shares, each, base, fee, ENTRY, decided, row, orders)
    state[N_LEFT] -= shares


@compiled
def _protect(  # noqa: PLR0917 - as above
    state: Floats,
    chosen: Floats,
    taken: Floats,
    why: int,
    base: float,
    limit: float,
    exactly: bool,  # noqa: FBT001
    volume: float,
    row: int,
    orders: Floats,
) -> None:
    state[WITHDRAWN] += (state[X_LEFT] > 0) + (state[N_LEFT] > 0)
    state[X_LEFT] = state[N_LEFT] = 0.0
    state[PROTECTED] = 1.0
    shares, entered = min(abs(state[POS]), _most(chosen, volume)), state[ENTERED]
    if shares > 0:
        _reduce(
            state, chosen, taken, shares, base, limit, exactly, why, entered, volume, row, orders
        )
    if state[POS] != 0 and why != TAKE_PROFIT:
        state[X_LEFT], state[X_WHY], state[X_DECIDED] = abs(state[POS]), why, entered


@compiled
def _reduce(  # noqa: PLR0917 - as above
    state: Floats,
    chosen: Floats,
    taken: Floats,
    shares: float,
    base: float,
    limit: float,
    exactly: bool,  # noqa: FBT001
    why: float,
    decided: float,
    volume: float,
    row: int,
    orders: Floats,
) -> None:
    side = -1.0 if state[POS] > 0 else 1.0
    each = base if exactly else _each(chosen, shares, base, side, limit, volume)
    fee = _fee(chosen, taken, shares, each, side)
    _book(state, side, shares, each, base, fee, why, decided, row, orders)


@compiled
def _book(  # noqa: PLR0917 - as above
    state: Floats,
    side: float,
    shares: float,
    price: float,
    base: float,
    fee: float,
    why: float,
    decided: float,
    row: int,
    orders: Floats,
) -> None:
    amount = shares * price + side * fee
    state[CASH] -= side * amount
    state[POS] += side * shares
    costs = fee + abs(price - base) * shares
    _note(state, orders, decided, row, side, shares, price, costs, amount, why)


@compiled
def _flat(
    state: Floats, chosen: Floats, taken: Floats, price: float, volume: float, row: int, orders: Floats
) -> None:  # fmt: skip
    shares = min(abs(state[POS]), _most(chosen, volume))
    if shares > 0:
        _reduce(
            state, chosen, taken, shares, price, np.nan, SLIPPED, FLAT_WHY, row, volume, row, orders
        )
    if state[POS] != 0:
        state[LAPSED] += 1


@compiled
def _see(state: Floats, bar: tuple[float, float, float, float]) -> None:
    """Remember the best price of a bar that is over."""
    if state[POS] > 0:
        state[BEST] = max(state[BEST], bar[3] if state[INSIDE] > 0 else bar[1])
    elif state[POS] < 0:
        state[BEST] = min(state[BEST], bar[3] if state[INSIDE] > 0 else bar[2])


@compiled
def _decide(  # noqa: PLR0917 - as above
    state: Floats,
    chosen: Floats,
    taken: Floats,
    close: float,
    direction: int,
    strength: float,
    volatility: float,
    row: int,
) -> None:
    """What a signal asks for."""
    if state[X_LEFT] > 0 or state[N_LEFT] > 0:
        protects = state[X_LEFT] > 0 and state[X_WHY] != EXIT
        if protects or state[CAUSE] == direction:
            return
        state[WITHDRAWN] += (state[X_LEFT] > 0) + (state[N_LEFT] > 0)
        state[X_LEFT] = state[N_LEFT] = 0.0
    target = _target(state, chosen, taken, close, direction, strength, volatility)
    held = state[POS]
    kept = held if held * target > 0 else 0.0
    if abs(target) < abs(held) or kept == 0:
        closing = abs(held) - (abs(target) if kept != 0 else 0.0)
        if closing > 0:
            state[X_LEFT], state[X_WHY], state[X_DECIDED] = closing, EXIT, row
            state[CAUSE] = direction
        if kept != 0 or target == 0:
            return
    more = target - kept
    if more == 0:
        return
    side = 1.0 if more > 0 else -1.0
    off = chosen[LIMIT_OFF]
    state[N_LIMIT] = close * (1 - off if side > 0 else 1 + off)
    state[N_LEFT], state[N_SIDE], state[N_DECIDED] = abs(more), side, row
    state[CAUSE] = direction


@compiled
def _target(
    state: Floats,
    chosen: Floats,
    taken: Floats,
    close: float,
    direction: int,
    strength: float,
    volatility: float,
) -> float:
    """The shares to hold, as ``Execution.target`` says."""
    side = 1.0 if direction > 0 else -1.0
    if (side > 0 and chosen[SIDES] == 2) or (side < 0 and chosen[SIDES] == 0):  # noqa: PLR2004
        return 0.0
    cash, shares = state[CASH], state[POS]
    if shares * side < 0:
        cash, shares = cash + shares * close, 0.0
    if side < 0:
        shares = -shares
        cash -= 2 * shares * close
    kind, paid = chosen[SIZING], close * (1 + chosen[OFF])
    found: float = side * shares
    if kind == ALL_IN and shares > 0:
        return found
    free, equity, wanted = max(cash, 0.0), cash + shares * close, shares
    if kind == ALL_IN:
        wanted = free / paid
        wanted = math.floor(wanted) if chosen[WHOLE] else math.floor(wanted * 1e6) / 1e6
    elif kind == FIXED:
        wanted = chosen[FIRST]
    else:
        share = chosen[FIRST] + (chosen[SECOND] - chosen[FIRST]) * strength
        known = True
        if kind == VOLATILITY:
            known = 0 < volatility < np.inf
            share = min(chosen[FIRST] / (volatility * math.sqrt(chosen[YEAR])), chosen[SECOND])
        worth = max(equity, 0.0) * share
        near = abs(worth - shares * close) <= chosen[BAND] * equity
        if known and not (shares > 0 and share > 0 and near):
            wanted = worth / paid
            wanted = math.floor(wanted) if chosen[WHOLE] else math.floor(wanted * 1e6) / 1e6
    if wanted <= shares:
        return found if chosen[TRIMS] == 0 else side * float(wanted)
    more = wanted - shares
    bought: float = _paid_for(chosen, taken, more, paid, 1.0, np.nan, EXACTLY, 0.0, free)
    return side * (float(shares) + bought)
