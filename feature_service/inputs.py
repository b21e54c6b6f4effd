"""What features are computed from: columns of bars, and what the calendar says of their session."""

#: Columns of the bars of one symbol.
BARS: tuple[str, ...] = (
    "timestamp",
    "session_date",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "vwap",
    "trade_count",
)
#: What the calendar says of a bar's session: its regular hours (UTC), and those beside it.
CALENDAR: tuple[str, ...] = (
    "session_open",
    "session_close",
    "previous_session",
    "next_session",
)
#: The session's number in the frame, from 0.
SESSION = "session"
#: The close of the context symbol's bar of the same moment, null where it has none.
CONTEXT: tuple[str, ...] = ("context_close",)

INPUTS: tuple[str, ...] = (*BARS, *CALENDAR, SESSION, *CONTEXT)
