"""What all tests share."""

import os

import pytest
from hypothesis import settings

# The machine that runs the tests may be busy: how long an example takes is for `make bench` to tell.
# One commit gives one result: `make test` draws the same examples each time; `make chaos` draws anew.
settings.register_profile("barlake", deadline=None, derandomize="BARLAKE_CHAOS" not in os.environ)
settings.load_profile("barlake")

#: The files that take longest, the longest first: processes that take a file each finish together
#: only if what is left at the end is short.
LONGEST = (
    "tests/agents/test_live.py",
    "tests/agents/test_many.py",
    "tests/test_demo.py",
    "tests/cli/test_ingest.py",
    "tests/up/test_up.py",
    "tests/up/test_join.py",
    "tests/agents/test_tasks.py",
    "tests/api/test_quickstart.py",
    "tests/chaos/test_kills.py",
    "tests/chaos/test_agents.py",
    "tests/lake/test_appending.py",
    "tests/agents/test_misbehaviour.py",
    "tests/cli/test_research_registry.py",
    "tests/api/test_research_runs.py",
    "tests/agents/test_research.py",
    "tests/cli/test_research.py",
    "tests/test_examples.py",
    "tests/agents/test_switches.py",
    "tests/lake/test_upkeep.py",
    "tests/simulation_service/test_simulation.py",
    "tests/feature_service/test_laws.py",
    "tests/chaos/test_crowd.py",
)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # by the number of tests, which says nothing here


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {file: rank for rank, file in enumerate(LONGEST)}

    def rank(item: pytest.Item) -> int:
        file = item.nodeid.partition("::")[0]
        # A browser leaves a running event loop in its process: nothing that needs its own comes after.
        return len(LONGEST) + 1 if file.startswith("tests/ui/") else ranks.get(file, len(LONGEST))

    items.sort(key=rank)
