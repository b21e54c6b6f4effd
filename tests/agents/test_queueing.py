"""What asking for an ingest promises: checked before anything is queued, and never queued twice."""

from datetime import UTC, date, datetime

import pytest

from agents.queueing import back, queue_ingest, span
from agents.sources import KeysMissingError
from lake.datasets import DatasetError
from lake.errors import RangeError, SymbolError
from lake.journal import Journal
from lake.settings import Settings

NOW = datetime(2024, 11, 8, 22, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path):
    return Journal.open(tmp_path)


@pytest.fixture
def settings(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Settings(
        ALPACA_API_KEY_ID="k", ALPACA_API_SECRET_KEY="s", ALPACA_API_BASE_URL="http://127.0.0.1:9"
    )


def test_the_same_work_is_one_job_and_is_sent_once(journal, settings):
    sent: list[str] = []
    for _ in range(3):
        job, _ = queue_ingest(
            journal,
            settings,
            "spy",
            "2024-11-04",
            "2024-11-08",
            now=NOW,
            send=lambda job: sent.append(job.id),
        )

    assert sent == [job.id]
    assert (job.symbol, job.source, job.first, job.last) == (
        "SPY",
        "sandbox:iex",
        date(2024, 11, 4),
        date(2024, 11, 8),
    )


def test_without_dates_it_is_the_history_of_the_setting(journal, settings):
    job, _ = queue_ingest(journal, settings, "SPY", now=NOW, send=lambda _: None)

    assert (job.first, job.last) == (date(2022, 11, 8), date(2024, 11, 8))


@pytest.mark.parametrize(
    ("symbol", "start", "end", "error", "says"),
    [
        ("../x", None, None, SymbolError, "is not a ticker"),
        ("SPY", "2024-11-08", "2024-11-04", RangeError, "Swap the two"),
        ("SPY", "2024-11-04", "2031-01-02", RangeError, "is in the future"),
        ("SPY", "2024-11-09", None, RangeError, "is in the future"),
        ("SPY", "soon", None, RangeError, "Write it like 2024-05-01"),
        ("SPY", "2024-11-02", "2024-11-03", RangeError, "the exchange was closed"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_queued(
    journal, settings, symbol, start, end, error, says
):
    with pytest.raises(error, match=says):
        queue_ingest(
            journal, settings, symbol, start, end, now=NOW, send=lambda _: pytest.fail("sent")
        )
    assert journal.jobs() == []


def test_without_keys_nothing_is_queued(journal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ALPACA_API_KEY_ID", "ALPACA_KEY_ID", "APCA_API_KEY_ID", "APCA_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(KeysMissingError, match=r"into \.env"):
        queue_ingest(journal, Settings(), "SPY", now=NOW, send=lambda _: pytest.fail("sent"))
    assert journal.jobs() == []


def test_today_is_new_yorks():
    late = datetime(2024, 11, 8, 3, tzinfo=UTC)  # still the evening of the 7th in New York

    assert span("5d", None, None, now=late) == (date(2024, 11, 2), date(2024, 11, 7))


@pytest.mark.parametrize(
    ("history", "first"),
    [
        ("10d", date(2024, 2, 19)),
        ("2w", date(2024, 2, 15)),
        ("1m", date(2024, 1, 29)),
        ("1y", date(2023, 2, 28)),
    ],
)
def test_a_history_is_counted_in_days_weeks_months_or_years(history, first):
    assert back(history, date(2024, 2, 29)) == first


def test_each_dataset_is_work_of_its_own_and_so_is_asking_again(journal, settings):
    def ask(**options):
        return queue_ingest(
            journal,
            settings,
            "SPY",
            "2024-11-04",
            "2024-11-08",
            now=NOW,
            send=lambda _: None,
            **options,
        )

    asked = [
        {},
        {"dataset": "bars_daily"},
        {"again": True},
        {"dataset": "bars_daily", "again": True},
    ]
    jobs = [ask(**options)[0] for options in asked]
    repeated = [ask(**options) for options in asked]

    assert [job.params for job in jobs] == asked
    assert len({job.id for job in jobs}) == 4
    assert repeated == [(job, False) for job in jobs]


def test_minutes_that_were_queued_before_there_were_datasets_are_the_same_work(journal, settings):
    first, last = date(2024, 11, 4), date(2024, 11, 8)
    before, _ = journal.queue("ingest", settings.source, "SPY", first, last, {})

    job, new = queue_ingest(
        journal, settings, "SPY", first, last, dataset="bars_1m", now=NOW, send=lambda _: None
    )

    assert (job.id, new) == (before.id, False)


def test_a_dataset_that_does_not_exist_is_refused_before_anything_is_queued(journal, settings):
    with pytest.raises(DatasetError, match="Use one of bars_1m, bars_daily"):
        queue_ingest(
            journal, settings, "SPY", dataset="bars_1w", now=NOW, send=lambda _: pytest.fail("sent")
        )
    assert journal.jobs() == []
