"""`docs/extend.md`, followed: its two lines, in a copy of the code, are a field of the contract that filters and orders."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg

from tests.graph.business import found

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
ASKING = """
import asyncio, json, sys
import cdp
from cdp.access.viewer import READ_SCOPES, Tool
from cdp.schema import open_graph, print_contract
from cdp.schema.execution import runner

async def ask(url, document):
    async with open_graph(url, "cdp_app", max_connections=1) as graph:
        viewer = Tool(client_id="test", scopes=frozenset(READ_SCOPES))
        result = await graph.execute(document, {}, viewer)
        checked = await graph.execute(document, {}, viewer, checked=True)
        assert result == checked, checked
        [plan, _] = runner.plans._plans.values()
        return {"from": cdp.__file__, "contract": print_contract(), "data": result.data, "errors": result.errors,
                "statements": result.statements, "sql": plan.sql}

print(json.dumps(asyncio.run(ask(*sys.argv[1:]))))
"""


def test_a_plain_field_is_one_line_in_one_place(shared_database_url: str, tmp_path: Path) -> None:
    column, field = re.findall(r"^```python\n(.*)\n```", TEXT, re.MULTILINE)
    [(document, answer)] = re.findall(r"^```gql\n(.*?)```\n```json\n(.*?)```", TEXT, re.MULTILINE | re.DOTALL)
    shutil.copytree(ROOT / "cdp", tmp_path / "cdp", ignore=shutil.ignore_patterns("__pycache__"))
    _add(tmp_path / "cdp" / "ledger" / "tables.py", r'Column\("tax_id"', column)
    _add(tmp_path / "cdp" / "schema" / "account.py", "tax_id: ", field)
    found(shared_database_url)
    with psycopg.connect(shared_database_url) as connection:
        connection.execute("ALTER TABLE account ADD COLUMN website text")
        connection.execute(
            "UPDATE account SET website = 'https://' || CASE WHEN number < 'K-1005' THEN 'b' ELSE 'a' END"
            " || ltrim(number, 'K-10') || '.example' WHERE number < 'K-1010'"
        )
    done = subprocess.run(
        [sys.executable, "-c", ASKING, shared_database_url, document],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert Path(told["from"]).is_relative_to(tmp_path)
    assert (told["data"], told["errors"], told["statements"]) == (json.loads(answer), [], 1)
    before = (ROOT / "schema.graphql").read_text(encoding="utf-8").splitlines()
    added = [line.strip() for line in told["contract"].splitlines() if line not in before]
    assert added == [
        '"""Web address."""',
        "website: String",
        '"""By website."""',
        "website: StringFilter",
        '"""Web address."""',
        "WEBSITE",
    ]
    assert told["sql"].count("website") >= 3


def _add(path: Path, after: str, line: str) -> None:
    """Put a line after the one line of the file that begins with a pattern."""
    text = path.read_text(encoding="utf-8")
    [found_line] = re.findall(rf"^ *{after}.*\n", text, re.MULTILINE)
    path.write_text(text.replace(found_line, f"{found_line}{line}\n"), encoding="utf-8")
