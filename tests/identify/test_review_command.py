"""`cdp review` at a terminal and for programs, on a real database."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from typer.testing import CliRunner

from cdp.cli import app
from cdp.db.engine import connect
from cdp.identify.findings import Finding, open_reviews
from tests.identify.world import draft, make_sources, tell


@pytest.fixture
def connection(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection[Any]]:
    monkeypatch.setenv("CDP_DATABASE_URL", database_url)
    with connect(database_url, autocommit=True) as opened:
        yield opened


def cdp(*arguments: str, status: int = 0) -> str:
    """What `cdp review …` says."""
    result = CliRunner().invoke(app, ["review", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code == status, result.output
    return result.output


def told(*arguments: str) -> dict[str, Any]:
    """The same, for programs."""
    found: dict[str, Any] = json.loads(cdp(*arguments, "--json"))
    return found


def family(connection: Connection[Any]) -> None:
    """Two people of one mailbox."""
    sources = make_sources(connection, ["web"])
    for number, name in enumerate(("Bea", "Ben")):
        said = {"key": f"user_id:{name}", "says": ["email:family@example.org"], "traits": {"name": name}}
        tell(connection, [draft(sources, said, number)])


def test_an_empty_queue_says_so(connection: Connection[Any]) -> None:
    assert cdp("list") == "Nothing waits for anybody.\n"
    assert told("list") == {"reviews": [], "waiting": {}, "more": False}
    open_reviews(connection, [Finding(kind="shared", identifier=("email", "x@example.org"))])  # type: ignore[arg-type]
    assert cdp("list", "--kind", "match") == "Nothing of that.\n"


def test_a_refused_merge_is_listed_shown_handed_over_and_accepted(connection: Connection[Any]) -> None:
    family(connection)
    connection.execute("INSERT INTO staff (email, name) VALUES ('bo@example.org', 'Bo')")
    listed = told("list")
    [review] = listed["reviews"]
    assert listed["waiting"] == {"refusal": 1}
    assert (review["kind"], review["value"]) == ("refusal", "family@example.org")
    assert [one["name"] for one in review["customers"]] == ["Bea", "Ben"]
    table = cdp("list").splitlines()
    assert table[0].split() == ["id", "kind", "about", "found", "assigned", "to"]
    assert all(word in table[1] for word in (review["id"], "refusal", "email family@example.org, Bea, Ben"))
    assert cdp("assign", review["id"], "bo@example.org") == f"{review['id']}: open, bo@example.org\n"
    assert told("list", "--assigned-to", "bo@example.org")["reviews"][0]["assignee"] == "bo@example.org"
    assert "kind: refusal\n" in cdp("show", review["id"])
    accepted = told("accept", review["id"], "--reason", "Stage name.")
    assert (accepted["state"], accepted["decided_by"], accepted["reason"]) == (
        "accepted",
        "command line",
        "Stage name.",
    )
    assert accepted["merge"].startswith("mrg_")
    assert told("accept", review["id"]) == accepted, "twice is once"
    assert cdp("list") == "Nothing waits for anybody.\n"
    assert len(told("list", "--state", "accepted")["reviews"]) == 1
    assert connection.execute("SELECT count(*) FROM customer").fetchone() == (1,)


def test_the_queue_goes_on_after_a_page(connection: Connection[Any]) -> None:
    for number in range(3):
        finding = Finding(kind="shared", identifier=("email", f"m{number}@example.org"))  # type: ignore[arg-type]
        open_reviews(connection, [finding])
    first = told("list", "--limit", "2")
    assert first["more"]
    assert cdp("list", "--limit", "2").splitlines()[-1] == f"More: cdp review list --after {first['reviews'][1]['id']}"
    rest = told("list", "--limit", "2", "--after", first["reviews"][1]["id"])
    assert [one["value"] for one in rest["reviews"]] == ["m2@example.org"]
    refused = cdp("refuse", rest["reviews"][0]["id"])
    assert refused == f"{rest['reviews'][0]['id']}: refused\n"


def test_what_is_wrong_is_one_line_and_status_1(database_url: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDP_")}
    for arguments, line in (
        (("show", "nonsense"), "A review's id looks like rev_0123456789abcdef0123456789abcdef."),
        (("accept", f"rev_{'0' * 32}"), f"There is no review rev_{'0' * 32}; what it was about may no longer be so."),
        (("list", "--assigned-to", "nobody@example.org"), "There is nobody of the staff with this address."),
    ):
        result = subprocess.run(
            [Path(sys.executable).with_name("cdp"), "review", *arguments],
            env={**environment, "CDP_DATABASE_URL": database_url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (result.returncode, result.stdout, result.stderr) == (1, "", f"cdp: {line}\n")
