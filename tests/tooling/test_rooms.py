"""The one-way rule holds, and would notice: each kind of trespass is committed once in a copy of the source."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source."""
    folder = tmp_path_factory.mktemp("source")
    for package in ("cdp", "extranet"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@contextmanager
def added(source: Path, file: str, line: str) -> Iterator[None]:
    """The source with a file more."""
    (source / file).write_text(f"{line}\n", encoding="utf-8")
    try:
        yield
    finally:
        (source / file).unlink()


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "COLUMNS": "200", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_rule_holds(source: Path) -> None:
    result = lint(source)
    assert result.returncode == 0, result.stdout
    assert "Contracts: 3 kept, 0 broken." in result.stdout


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("cdp/graph/trespass.py", "import cdp.identify", "Rooms import downwards only"),
        ("cdp/events/trespass.py", "import cdp.ledger", "Rooms import downwards only"),
        ("cdp/db/trespass.py", "import cdp.access", "Rooms import downwards only"),
        ("cdp/access/trespass.py", "import cdp.server", "Rooms import downwards only"),
        ("cdp/helpers.py", "", "Rooms import downwards only"),  # a new room must find its place first
        ("extranet/trespass.py", "import cdp.ledger", "The extranet asks the schema"),
        ("extranet/trespass.py", "from cdp.db import engine", "The extranet asks the schema"),
        ("extranet/trespass.py", "import cdp.resolvers", "The extranet asks the schema"),
        ("cdp/schema/trespass.py", "import extranet", "No room knows that there is an extranet"),
    ],
)
def test_a_trespass_is_named(source: Path, file: str, line: str, contract: str) -> None:
    with added(source, file, line):
        result = lint(source)
    assert result.returncode == 1, result.stdout
    broken = [told for told in result.stdout.splitlines() if " BROKEN" in told]
    assert [contract in told for told in broken] == [True], result.stdout


def test_an_allowed_import_is_allowed(source: Path) -> None:
    with added(source, "extranet/guest.py", "import cdp.access, cdp.errors, cdp.logs, cdp.schema, cdp.settings"):
        assert lint(source).returncode == 0
