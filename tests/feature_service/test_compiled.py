"""Compiled loops give the bits of the same Python, and are made anew when what they call changes."""

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from feature_service import fingerprint, halves, warming, windows
from simulation_service import warming as loops
from training_service import warming as labels

ROOT = Path(__file__).parents[2]
FILES = [file for file in sorted(ROOT.glob("*_service/**/*.py")) if "@compiled" in file.read_text()]
#: Writes every window of a walk that stands still at times, in hexadecimal.
WALK = """
import json, sys
import numpy as np
from feature_service import halves, recursion
from feature_service.compiled import given

rng = np.random.default_rng(3)
walk = 100 + np.where(rng.random(1_300) < 0.3, 0, rng.normal(size=1_300)).cumsum() / 7
other = np.exp(rng.normal(size=1_300))
found = {}
for width in (2, 7, 20):
    for name in ("means", "zscores", "skews", "kurtoses", "weighted_means", "ages", "highest", "mean_distances"):
        found[f"{name} {width}"] = getattr(halves, name)(walk, width)
    for name in ("averages", "correlations", "betas"):
        found[f"{name} {width}"] = getattr(halves, name)(walk, other, width)
    found[f"deviations {width}"] = halves.deviations(walk, width, 1)
    found[f"ewm {width}"] = recursion._gone_on(walk, walk, 1, 2 / (width + 1))
print(json.dumps({name: values.tobytes().hex() for name, values in found.items()}))
"""


def bits(**environment):
    run = subprocess.run(
        [sys.executable, "-c", WALK],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return json.loads(run.stdout)


def test_what_is_compiled_has_the_bits_of_what_is_written():
    written = bits(NUMBA_DISABLE_JIT="1")

    assert bits() == written
    assert len(set(written.values())) == len(written)


def test_there_are_compiled_functions():
    assert ROOT / "feature_service/halves.py" in FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_compiled_function_calls_only_those_of_its_file(file):
    module, calls = module_of(file), calls_in(file)
    for name, called in calls.items():
        ours = {one for one in called if hasattr(module, one)}
        assert ours <= set(calls), name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_is_left_to_compile_after_warming(file):
    warming.warm()
    labels.warm()
    loops.warm()
    module, calls = module_of(file), calls_in(file)
    inner = {one for name, called in calls.items() for one in called if one != name}

    assert all(getattr(module, name).signatures for name in calls.keys() - inner)


def module_of(file):
    return importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))


def calls_in(file):
    """The compiled functions of a file, and the names that each one calls."""
    functions = [
        one
        for one in ast.parse(file.read_text()).body
        if isinstance(one, ast.FunctionDef)
        and any(isinstance(by, ast.Name) and by.id == "compiled" for by in one.decorator_list)
    ]
    return {
        function.name: {
            node.func.id
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        for function in functions
    }


def test_a_feature_is_of_another_version_once_what_is_compiled_changes():
    sources = fingerprint._sources(windows.rolling_mean, set())

    assert any(name.endswith("halves._windows") for name in sources)
    assert any(name.endswith("halves._join_means") for name in sources)


def test_machine_code_is_made_without_a_place_to_keep_it(tmp_path):
    (tmp_path / "kept").write_text("no folder")
    again = bits(NUMBA_CACHE_DIR=str(tmp_path / "kept" / "below"))

    assert again == bits()


def test_columns_in_any_memory_give_the_same_bits():
    values = np.random.default_rng(1).normal(size=(300, 2))

    assert np.array_equal(
        halves.means(values[:, 0], 20), halves.means(values[:, 0].copy(), 20), equal_nan=True
    )
