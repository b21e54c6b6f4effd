"""The page that queues downloads and shows jobs and agents."""

import re
from datetime import UTC, date, datetime
from typing import Any, Literal

import polars as pl
import streamlit as st

from ui.client import ApiError, Client
from ui.shared import client, sentences

_EVERY = 2  # seconds between two looks
_LOOK = 50  # jobs shown
_ALERTS, _SHOWN = 1000, 5  # alerts read and shown
_STATES = ("all", "queued", "running", "done", "failed")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_HEALTH: dict[str, Literal["green", "blue", "orange", "red", "gray"]] = {
    "ready": "green",
    "empty": "blue",
    "starting": "orange",
    "missing": "red",
}
_MARKS = {"queued": "○ queued", "running": "▶ running", "done": "✔ done", "failed": "✖ failed"}


def show() -> None:
    """Draw the page."""
    with sentences():
        _order()
    _watch()


def _order() -> None:
    with st.form("ingest", border=True):
        st.markdown("**Fetch bars**")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            symbols = st.text_input(
                "Symbols",
                placeholder="SPY, QQQ",
                help="One or more, with commas or blanks",
                width=260,
            )
            start = st.date_input(
                "First session", None, format="YYYY-MM-DD", max_value="today", width=160
            )
            end = st.date_input(
                "Last session", None, format="YYYY-MM-DD", max_value="today", width=160
            )
            sent = st.form_submit_button("Queue", type="primary", icon=":material/download:")
        st.caption(
            "Without dates: whatever is missing of the usual history. Nothing is fetched twice."
        )
    if sent:
        _queue(re.findall(r"[^\s,;]+", symbols), start, end)


def _queue(symbols: list[str], start: date | None, end: date | None) -> None:
    if not symbols:
        st.warning("Write at least one symbol, like SPY.")
        return
    try:
        job = client().ingest(
            ",".join(symbols),
            start=start.isoformat() if start else None,
            end=end.isoformat() if end else None,
        )
    except ApiError as error:
        st.error(str(error), icon=":material/error:")
    else:
        st.success(
            f"{job['label']} is {job['state']} as job {job['id']}.", icon=":material/check_circle:"
        )


@st.fragment(run_every=_EVERY)
def _watch() -> None:
    with sentences():
        api = client()
        _health(api)
        _alerts(api)
        _agents(api)
        _jobs(api)


def _health(api: Client) -> None:
    facts = api.health()
    with st.container(horizontal=True, gap="small"):
        for part in ("lake", "journal", "broker"):
            state = facts[part]["state"]
            st.badge(
                f"{part}: {state}", color=_HEALTH.get(state, "gray"), help=facts[part]["message"]
            )


def _alerts(api: Client) -> None:
    """What is wrong, but for stalled agents, which are told beside the agents."""
    found = [alert for alert in api.alerts(limit=_ALERTS) if alert["kind"] != "stalled"]
    for alert in found[:_SHOWN]:
        st.error(alert["message"], icon=":material/notification_important:")
    if len(found) > _SHOWN:
        more = len(found) - _SHOWN
        st.caption(f"{more} more; `barlake alerts` and `barlake quality` show all of them.")


def _agents(api: Client) -> None:
    st.markdown("#### Agents")
    found = api.agents()
    _switches(api)
    if not found:
        st.info(
            "No agent has reported yet. `barlake up` starts them all.", icon=":material/bedtime:"
        )
        return
    rows = [
        {
            "agent": agent["name"],
            "kind": agent["kind"],
            "state": "stalled" if agent["stalled"] else agent["state"],
            "heartbeat": f"{span(agent['age'])} ago",
            "detail": ", ".join(f"{key} {value}" for key, value in agent["detail"].items()),
        }
        for agent in found
    ]
    st.dataframe(pl.DataFrame(rows), hide_index=True, key="agents")
    for agent in found:
        if agent["stalled"]:
            st.warning(
                f"{agent['name']} has been silent for {span(agent['age'])}. "
                "Its log says more: `barlake logs`, or restart it with `barlake up`.",
                icon=":material/heart_broken:",
            )


def _switches(api: Client) -> None:
    """Which kinds of agents a user has paused or stopped, with what starts them again."""
    for switch in api.switches():
        if switch["state"] == "running":
            continue
        with st.container(horizontal=True, vertical_alignment="center"):
            reason = f": {switch['reason']}" if switch["reason"] else ""
            st.badge(f"{switch['agent']} is {switch['state']}{reason}", color="orange")
            if st.button("Start", key=f"start-{switch['agent']}", icon=":material/play_arrow:"):
                api.start(switch["agent"])
                st.rerun(scope="fragment")


def _jobs(api: Client) -> None:
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.markdown("#### Jobs")
        state = st.segmented_control(
            "State", _STATES, default="all", required=True, key="state", bind="query-params",
            label_visibility="collapsed",
        )  # fmt: skip
    wanted = None if state == "all" else state
    jobs = api.jobs(state=wanted, limit=_LOOK)
    if not jobs:
        which = f"No {wanted} jobs." if wanted else "No jobs yet."
        st.info(f"{which} Queue one above.", icon=":material/inbox:")
        return
    now = datetime.now(UTC)
    st.dataframe(
        pl.DataFrame([_row(job, now) for job in jobs], infer_schema_length=None),
        hide_index=True,
        key="jobs",
        column_config={
            "progress": st.column_config.ProgressColumn(
                format="percent", min_value=0.0, max_value=1.0
            )
        },
    )


def _row(job: dict[str, Any], now: datetime) -> dict[str, Any]:
    """One job as the table shows it; progress from 0 to 1."""
    created, began, ended = (
        _moment(job[f"{name}_at"]) for name in ("created", "started", "finished")
    )
    took = ((ended or now) - began).total_seconds() if began else None
    share = job["done"] / job["total"] if job["total"] else 0.0
    return {
        "symbol": job["label"],
        "kind": job["kind"],
        "state": _MARKS.get(job["state"], job["state"]),
        "progress": 1.0 if job["state"] == "done" else min(share, 1.0),
        "left": _left(job["outlook"]),
        "speed": _speed(job["outlook"]),
        "says": job["error"] or job["message"] or "",
        "sessions": " to ".join(day for day in (job["first"], job["last"]) if day),
        "queued": f"{span((now - created).total_seconds())} ago" if created else "",
        "took": "" if took is None else span(took),
        "job": job["id"],
    }


def _left(outlook: dict[str, Any]) -> str:
    """Time and requests that are left, where they are known."""
    seconds, requests = outlook["seconds_left"], outlook["budget_left"]
    time = "" if seconds is None else span(seconds)
    return ", ".join(filter(None, (time, "" if requests is None else f"{requests:,} requests")))


def _speed(outlook: dict[str, Any]) -> str:
    rate = outlook["bars_per_second"]
    return "" if rate is None else f"{rate:,.0f} bars/s"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def span(seconds: float) -> str:
    """A length of time in one unit.

    >>> span(3.2), span(240), span(7300), span(200_000)
    ('3 s', '4 min', '2 h', '2 d')
    """
    if seconds < _MINUTE:
        return f"{max(seconds, 0):.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.0f} h" if seconds < _DAY else f"{seconds / _DAY:.0f} d"
