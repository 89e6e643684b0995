"""The one-way rule holds, and would notice: each kind of trespass is committed once in a copy of the source."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in ("cdp", "extranet"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "COLUMNS": "200", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_rule_holds(copy: Path) -> None:
    result = lint(copy)
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
def test_a_trespass_is_named(copy: Path, file: str, line: str, contract: str) -> None:
    (copy / file).write_text(f"{line}\n", encoding="utf-8")
    result = lint(copy)
    assert result.returncode == 1, result.stdout
    broken = [told for told in result.stdout.splitlines() if " BROKEN" in told]
    assert [contract in told for told in broken] == [True], result.stdout


def test_an_allowed_import_is_allowed(copy: Path) -> None:
    allowed = "import cdp.access, cdp.errors, cdp.logs, cdp.schema, cdp.settings"
    (copy / "extranet/guest.py").write_text(f"{allowed}\n", encoding="utf-8")
    assert lint(copy).returncode == 0
