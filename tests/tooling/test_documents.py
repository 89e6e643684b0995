"""What the documents say of names and numbers is what the code says."""

import re
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate
from typer.main import get_group

from cdp.cli import app
from cdp.schema import print_contract
from cdp.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_settings_table_is_the_settings() -> None:
    text = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(CDP_\w+)` \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    assert rows == [
        (PREFIX + name.upper(), shown(field.default), field.description)
        for name, field in Settings.model_fields.items()
    ]


def shown(default: object) -> str:
    if default is None:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_every_command_in_the_documents_exists() -> None:
    known = set(get_group(app).commands)
    named = {name for page in PAGES for name in re.findall(r"`cdp ([a-z]+)", page.read_text(encoding="utf-8"))}
    assert named - known == set()


def test_every_verb_in_the_documents_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {
        verb for page in PAGES for verb in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {"demo", "test"} <= named
    assert named - verbs == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("record", DECISIONS, ids=lambda record: record.stem)
def test_a_decision_is_short_and_names_what_holds_it(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40
    assert re.match(rf"# {record.stem[:4]}\. .+\n\nStatus: (accepted|replaced by \d{{4}})\n", text)
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Why", "Decision", "Price", "Held by"]
    held_by = text.split("## Held by\n", 1)[1]
    files = re.findall(r"`((?:tests|cdp|extranet|pyproject)[\w./-]*)`", held_by)
    assert files
    assert [file for file in files if not (ROOT / file).exists()] == []


@pytest.fixture(scope="module")
def contract() -> GraphQLSchema:
    return build_schema(print_contract())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_query_in_the_documents_fits_the_schema(page: Path, contract: GraphQLSchema) -> None:
    queries = re.findall(r"^```graphql\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert [error.message for query in queries for error in validate(contract, parse(query))] == []


def test_the_readme_shows_a_query() -> None:
    assert "```graphql\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_runs_the_two_verbs() -> None:
    assert (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()[-1] == "exec make lint test"
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
