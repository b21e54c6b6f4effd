"""What joining promises to APIs without REDIS_URL: one broker and one worker, as long as needed."""

import os
import signal
import time

from app.up.locks import Lock, holder
from lake.journal import Journal
from tests.up.conftest import alive, kinds, of_home, wait_for

NOTHING = {"broker": 0, "worker": 0, "keeper": 0}

#: Joins, tells how long it took, works on one job if asked, and stays until its input ends.
MEMBER = """
import sys, time
from lake.settings import load_settings
from app.up import join
settings = load_settings()
begun = time.monotonic()
with join(settings):
    print("joined", time.monotonic() - begun, flush=True)
    time.sleep(600)
"""

ONE_JOB = """
import sys, time
from lake.settings import load_settings
from app.up import join
from agents.tasks import send
from lake.journal import Journal
settings = load_settings()
with join(settings), Journal.open(settings.home) as journal:
    job, _ = journal.queue("upkeep", "", "")
    send(job)
    while not journal.job(job.id).is_finished:
        time.sleep(0.05)
    print("joined", journal.job(job.id).state, flush=True)
    time.sleep(float(sys.argv[1]))
"""


def joined(*members):
    for member in members:
        wait_for(lambda member=member: "joined" in member.out.read_text())


def pids(home, kind):
    words = {"broker": "valkey-server", "worker": "worker -n", "keeper": "app.up.keeper"}[kind]
    return sorted(pid for pid, command in of_home(home).items() if words in command)


def test_a_member_alone_gets_its_work_done_and_leaves_nothing_behind(run, home, tmp_path):
    """In a home with stale notes, and in one with a long name and spaces."""
    (home / "run").mkdir()
    (home / "run" / "valkey.sock").touch()
    (home / "run" / "valkey.pid").write_text("1\n")
    (home / "run" / "keeper.lock").write_text('{"pid": 1, "who": "keeper", "state": "running"}')
    deep = tmp_path / ("a home with spaces " * 5).strip()
    members = run(ONE_JOB, "0"), run(ONE_JOB, "0", BARLAKE_HOME=str(deep))
    joined(*members)
    for member in members:
        assert "done" in member.out.read_text()
        assert member.wait(90) == 0

    for place in (home, deep):
        wait_for(lambda place=place: kinds(place) == NOTHING)
    assert not (home / "run" / "valkey.sock").exists()
    with Journal.open(home) as journal:
        assert [agent.state for agent in journal.agents()] == ["stopped"]


def test_members_share_one_broker_and_one_worker_until_the_last_is_gone_for_a_while(run, home):
    members = [run(MEMBER) for _ in range(3)]  # at once
    joined(*members)
    wait_for(lambda: len(pids(home, "worker")) == 2)  # its head and its process for tasks
    time.sleep(1.5)
    assert (len(pids(home, "broker")), len(pids(home, "keeper"))) == (1, 1)
    assert len(pids(home, "worker")) == 2
    broker = pids(home, "broker")

    end(*members[:2])
    late = run(MEMBER)
    joined(late)
    assert pids(home, "broker") == broker
    assert float(late.out.read_text().split()[-1]) < 10.0  # quick where a broker runs
    end(members[2], late)
    again = run(MEMBER)  # it comes back soon
    joined(again)
    time.sleep(4.5)
    assert pids(home, "broker") == broker
    assert all(alive(pid) for pid in broker)
    end(again)
    wait_for(lambda: kinds(home) == NOTHING)


def end(*members):
    for member in members:
        member.kill()
        member.wait()


def test_a_killed_keeper_takes_its_broker_along_and_is_followed_by_another(run, home):
    member = run(MEMBER)
    joined(member)
    wait_for(lambda: len(pids(home, "keeper")) == 1)  # two while one is just being made
    (keeper,) = pids(home, "keeper")
    before = pids(home, "broker")
    os.kill(keeper, signal.SIGKILL)

    wait_for(lambda: pids(home, "keeper") not in ([], [keeper]))
    wait_for(lambda: pids(home, "broker") not in ([], before))
    wait_for(lambda: not any(alive(pid) for pid in before))
    worker = run(ONE_JOB, "0")
    joined(worker)


def test_a_killed_broker_is_started_again(run, home):
    member = run(MEMBER)
    joined(member)
    (broker,) = pids(home, "broker")
    os.kill(broker, signal.SIGKILL)

    wait_for(lambda: pids(home, "broker") not in ([], [broker]))
    worker = run(ONE_JOB, "0")
    joined(worker)


def test_an_unfinished_job_is_taken_up_by_the_worker_of_who_joins(run, home):
    with Journal.open(home) as journal:
        job, _ = journal.queue("upkeep", "", "")
        joined(run(MEMBER))
        wait_for(lambda: journal.job(job.id).state == "done")


APP = """
import contextlib
from lake.settings import load_settings
from app.up import join

@contextlib.contextmanager
def joined():
    with join(load_settings()):
        yield

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        with joined():
            await send({"type": "lifespan.startup.complete"})
            print("api is up", flush=True)
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
"""


def test_a_reload_of_the_api_leaves_broker_and_worker_alone(run, home, tmp_path, ports):
    folder = tmp_path / "code"
    folder.mkdir()
    source = folder / "served.py"
    source.write_text(APP)
    serve = (
        "import uvicorn; uvicorn.run('served:app', reload=True, log_level='warning',"
        f" port={ports[0]}, app_dir={str(folder)!r}, reload_dirs=[{str(folder)!r}])"
    )
    server = run(serve)
    wait_for(lambda: server.out.read_text().count("api is up") == 1)
    wait_for(lambda: len(pids(home, "worker")) == 2)
    before = pids(home, "broker"), pids(home, "keeper"), pids(home, "worker")
    source.write_text("raise RuntimeError('half-written')\n")
    wait_for(lambda: "half-written" in server.out.read_text())
    time.sleep(5.0)
    source.write_text(APP + "\n# edited\n")
    wait_for(lambda: server.out.read_text().count("api is up") == 2)
    assert (pids(home, "broker"), pids(home, "keeper"), pids(home, "worker")) == before

    server.send_signal(signal.SIGINT)
    server.wait(60)
    wait_for(lambda: kinds(home) == NOTHING)


def test_a_lock_is_told_from_a_lock_file(tmp_path):
    path = tmp_path / "run" / "some.lock"
    assert holder(path) is None
    lock = Lock.take(path)
    lock.note(who="me")
    assert holder(path) == {"pid": os.getpid(), "who": "me"}
    assert Lock.take(path) is None
    lock.release()
    assert holder(path) is None
