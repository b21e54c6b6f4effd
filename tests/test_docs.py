"""What there is, is named in the documents; and what the documents show, works."""

import re
from pathlib import Path

import pytest
import typer.main

import lake
from agents.tasks import celery
from app.api.routes import ROUTERS
from app.cli.main import app
from feature_service import page as describing
from feature_service import sets
from lake.schema import TABLES
from lake.settings import Settings
from lake.views import VIEWS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "data" / "README.md"])

SETTINGS = [
    name for field in Settings.model_fields.values() for name in field.validation_alias.choices
]
_ROOT_COMMAND = typer.main.get_command(app)
COMMANDS = [
    f"barlake {name}" if not hasattr(command, "commands") else f"barlake {name} {inner}"
    for name, command in _ROOT_COMMAND.commands.items()
    for inner in getattr(command, "commands", [""])
]
ROUTES = sorted(
    {
        f"{method} {route.path.replace(':path', '')}"
        for router in ROUTERS
        for route in router.routes
        for method in route.methods - {"HEAD"}
    }
)
TASKS = sorted(name for name in celery.tasks if not name.startswith("celery."))


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_explained_and_has_a_placeholder(name):
    assert f"`{name}`" in page("settings.md")
    assert re.search(rf"^# {name}=", (ROOT / ".env.example").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_named(command):
    assert f"`{command}" in page("cli.md")


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_is_named(route):
    assert f"`{route}`" in page("api.md")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_named(task):
    assert f"| `{task}` |" in page("cli.md")


def test_every_feature_is_described_as_it_is_declared():
    assert describing.text() == page("feature-catalog.md"), "run python -m feature_service.page"


@pytest.mark.parametrize("name", [*sets.sets(), *VIEWS, *TABLES])
def test_every_set_view_and_table_is_named(name):
    assert f"`{name}`" in page("features.md") + page("sql.md")


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_somewhere(file):
    text = re.sub(r"```.*?```", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert target.startswith("https://") or (file.parent / target).exists(), target


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_barlake_command_shown_exists(file):
    text = file.read_text(encoding="utf-8")
    shown = re.findall(r"(?:^|`|&& )barlake ([a-z]+)(?: ([a-z]+))?", text, re.MULTILINE)
    for name, inner in shown:
        command = _ROOT_COMMAND.commands[name]
        assert not hasattr(command, "commands") or inner in command.commands


@pytest.mark.parametrize(
    "line",
    [
        "make demo",
        "make test",
        "pip install -e .",
        "uvicorn app.api.main:app --reload --host 0.0.0.0 --port 8000",
        "curl -X POST http://localhost:8000/ingest/SPY",
        "curl 'http://localhost:8000/bars/SPY?limit=5'",
        "duckdb -init lake.sql",
    ],
)
def test_the_readme_has_the_first_commands_of_each_user(line):
    assert re.search(rf"^{re.escape(line)}", (ROOT / "README.md").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def empty_lake(tmp_path_factory):
    with lake.open(tmp_path_factory.mktemp("docs"), create=True) as opened:
        yield opened


def _questions() -> list[str]:
    block = page("sql.md").rpartition("```sql\n")[2].partition("```")[0]
    return [query.strip() for query in block.split(";") if query.strip()]


@pytest.mark.parametrize("query", _questions(), ids=lambda query: query.splitlines()[0])
def test_every_question_worth_copying_is_answered(empty_lake, query):
    assert empty_lake.sql(query).width >= 2


def test_every_decision_has_its_context_its_choice_and_its_price():
    decisions = sorted((DOCS / "adr").glob("[0-9]*.md"))

    assert len(decisions) >= 5
    for file in decisions:
        assert re.findall(r"^## (.*)$", file.read_text(), re.MULTILINE) == [
            "Context",
            "Decision",
            "Price",
        ]
        assert file.name in page("adr/README.md")
