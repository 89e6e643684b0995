"""docs/security.md names a test for each threat; here, that each is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"^\| .+ \| `(tests/[\w/]+\.py)::(test_\w+)` \|$", re.MULTILINE)


def test_every_test_that_the_threat_table_names_exists() -> None:
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    named = LINE.findall(text)
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| threat")]
    assert len(named) == len(lines) > 50
    missing = [f"{path}::{name}" for path, name in named if name not in declared_in(path)]
    assert missing == []


def declared_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
