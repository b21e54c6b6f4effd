"""How the command teaches itself."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from app.cli.main import app

ROOT = typer.main.get_command(app)
GROUPS = {name: command for name, command in ROOT.commands.items() if hasattr(command, "commands")}
COMMANDS = [(name,) for name in ROOT.commands if name not in GROUPS] + [
    (group, name) for group, command in GROUPS.items() for name in command.commands
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_teaches_with_examples(words):
    group, command = ROOT, None
    for word in words:
        command = group.commands[word]
        group = command

    assert command.help
    assert "Examples:\n" in command.help
    assert f"barlake {' '.join(words)}" in command.help


def test_help_of_the_installed_command_names_every_command():
    script = Path(sys.executable).with_name("barlake")
    text = subprocess.run(
        [script, "--help"], capture_output=True, text=True, check=True, timeout=60
    ).stdout

    for name in ROOT.commands:
        assert f"\n  {name} " in text
    assert 'barlake sql "FROM bars LIMIT 5"\n' in text


@pytest.mark.parametrize("words", [(), *COMMANDS, *[(name,) for name in GROUPS]], ids=" ".join)
def test_help_opens_nothing(barlake, words, tmp_path):
    answer = barlake(*words, "--help")

    assert answer.code == 0
    assert answer.out.startswith("Usage: barlake")
    assert not (tmp_path / "home").exists()


def test_a_group_alone_shows_its_help(barlake):
    assert barlake("features").out.startswith("Usage: barlake features")
    assert barlake().out.startswith("Usage: barlake")


def test_the_version_is_told(barlake):
    assert barlake("--version").out == "barlake 0.1.0\n"
