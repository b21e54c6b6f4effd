"""The sandbox's page names all there is."""

from pathlib import Path

import pytest

from sandbox.__main__ import _parser
from sandbox.config import SandboxConfig
from sandbox.faults import FAULTS
from sandbox.server import create_app

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
OPTIONS = [option for action in _parser()._actions for option in action.option_strings]
CONTROLS = [
    f"{method} {route.path}"
    for route in create_app(SandboxConfig()).routes
    if route.path.startswith("/sandbox/")
    for method in sorted(route.methods - {"HEAD"})
    if method in {"GET", "PUT"}
]


@pytest.mark.parametrize("name", [*FAULTS, *CONTROLS])
def test_every_fault_and_control_route_is_named(name):
    assert f"`{name}" in PAGE


@pytest.mark.parametrize("option", sorted(set(OPTIONS) - {"-h", "--help"}))
def test_every_option_is_named(option):
    assert f"`{option}" in PAGE
