"""What the one rate budget promises: nothing is sent that is not there, whoever asks."""

import multiprocessing
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.journal import Journal
from lake.journal.budget import (
    OwnBudget,
    RateWindow,
    SharedBudget,
    Window,
    by_headers,
    learnt,
    taken,
)

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp()


@pytest.fixture(params=["shared", "own"])
def budget(request, tmp_path, clock):
    believed = [RateWindow(3, 60.0), RateWindow(5, 3600.0)]
    if request.param == "own":
        yield OwnBudget(believed, now=lambda: clock().timestamp())
        return
    with Journal.open(tmp_path, now=clock) as journal:
        yield SharedBudget(journal, "account", believed)


def test_a_window_lets_so_many_through_and_then_tells_how_long_to_wait(budget, clock):
    assert [budget.take() for _ in range(3)] == [0, 0, 0]
    assert budget.take() == pytest.approx(60)
    clock.move(59)
    assert budget.take() == pytest.approx(1)
    clock.move(1)
    assert budget.take() == 0


def test_the_narrowest_of_several_windows_counts(budget, clock):
    for _ in range(3):
        budget.take()
    clock.move(60)
    assert [budget.take() for _ in range(2)] == [0, 0]
    assert budget.take() == pytest.approx(3540)
    assert budget.left() == 0


def test_what_an_answer_says_goes_before_what_was_believed(budget):
    budget.take()
    budget.learn(Window(60.0, 200, 150, NOW + 30))
    assert (budget.left(), budget.most()) == (4, 0)  # 5 an hour, one is taken: 0 a minute
    budget.learn(Window(3600.0, 100_000, 90_000, NOW + 30))
    assert (budget.left(), budget.most()) == (150, 200)
    budget.take()
    budget.learn(Window(60.0, 200, 198, NOW + 30))  # of a request before those of others
    assert budget.left() == 149


def test_a_provider_that_counts_nothing_is_not_held_back(budget):
    budget.free()
    assert [budget.take() for _ in range(20)] == [0] * 20
    assert budget.left() is None
    budget.learn(Window(60.0, 200, 0, NOW + 10))  # until it meets a limit after all
    assert budget.take() == pytest.approx(10)


def test_an_answer_of_a_window_that_is_over_says_nothing(budget):
    budget.take()
    budget.learn(Window(60.0, 3, 0, NOW - 1))
    assert budget.left() == 2


def test_headers_are_read_or_nothing_is_believed():
    told = {
        "X-RateLimit-Limit": "200",
        "X-RateLimit-Remaining": "199",
        "X-RateLimit-Reset": f"{NOW + 42:.0f}",
    }
    assert by_headers(told, NOW) == Window(60.0, 200, 199, NOW + 42)
    assert by_headers(told, NOW, skew=2.0) == Window(60.0, 200, 199, NOW + 44)
    assert by_headers(told | {"X-RateLimit-Reset": "soon"}, NOW) is None
    assert by_headers({}, NOW) is None


events = st.lists(
    st.tuples(st.sampled_from(["take", "learn", "wait"]), st.integers(0, 40)), max_size=60
)


@given(events=events, most=st.integers(1, 10))
def test_never_more_is_sent_in_a_window_than_the_provider_allows(events, most):
    """A provider with fixed windows, a client that believes what it is told: no request is early."""
    windows, now = [Window(60.0, most, most, 0.0)], NOW
    ends, left = 0.0, most
    for event, number in events:
        if event == "wait":
            now += number
        elif event == "take":
            wait, windows = taken(windows, now)
            if not wait:
                if now >= ends:
                    ends, left = now + 60.0, most
                assert left > 0, "it was sent early"
                left -= 1
        elif now < ends:  # an answer arrives; it may tell of fewer than are left, never of more
            told = Window(60.0, most, max(left - number % 3, 0), ends)
            kept = learnt(windows[0], told, now)
            assert kept is not None
            assert kept.remaining <= told.remaining
            windows = [kept]


def test_an_end_that_moves_on_with_every_answer_does_not_use_the_budget_up(budget, clock):
    for second in range(200):
        assert budget.take() == 0
        budget.learn(Window(60.0, 100, 99, NOW + second + 60))
        budget.learn(Window(3600.0, 10_000, 9_999, NOW + second + 3600))
        clock.move(1)


def _take(home, times, queue):
    with Journal.open(home) as journal:
        budget = SharedBudget(journal, "account", [RateWindow(50, 3600.0)])
        queue.put(sum(not budget.take() for _ in range(times)))


def test_many_processes_together_take_no_more_than_there_is(tmp_path):
    Journal.open(tmp_path).close()
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=_take, args=(tmp_path, 30, queue)) for _ in range(4)]
    for worker in workers:
        worker.start()
    sent = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()

    assert sum(sent) == 50
