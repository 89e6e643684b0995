"""`cdp source`: keys rotated with overlap, listed by their last characters, revoked; origins and visitors' traits changed."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from cdp.cli import app
from cdp.db.engine import connect
from cdp.ingest.sources import KeyRing
from tests.ingest.door import door
from tests.live import client, serve

VISITOR_TRAITS = ["name", "firstName", "first_name"]
PAGE = {"userId": "u1", "name": "Home"}


@pytest.fixture
def url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CDP_DATABASE_URL", database_url)
    return database_url


@pytest.fixture
def http(url: str) -> Iterator[httpx2.Client]:
    with serve(door(url, keys=KeyRing(remembered_seconds=0))) as address, client(address) as opened:
        yield opened


def cdp(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["source", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def status(http: httpx2.Client, key: str, **headers: str) -> int:
    return http.post("/v1/page", json=PAGE, auth=(key, ""), headers=headers).status_code


def test_a_rotated_key_is_taken_beside_the_new_one_until_it_ends(http: httpx2.Client) -> None:
    first = cdp("create", "web-shop")["write_key"]
    rotated = cdp("rotate", "web-shop", "--overlap", "2h")
    second = rotated["write_key"]
    assert [one["hint"] for one in rotated["ending"]] == [first[-4:]]
    assert (status(http, first), status(http, second)) == (200, 200)
    (listed,) = cdp("list")
    assert [(key["hint"], key["is_taken"], key["expires_at"] is None) for key in listed["write_keys"]] == [
        (second[-4:], True, True),
        (first[-4:], True, False),
    ]
    assert first not in json.dumps(listed)
    cdp("revoke", "web-shop", first[-4:])
    assert (status(http, first), status(http, second)) == (401, 200)
    third = cdp("rotate", "web-shop", "--overlap", "0")["write_key"]
    assert (status(http, second), status(http, third)) == (401, 200)
    text = CliRunner().invoke(app, ["source", "list"]).output
    assert f"…{third[-4:]} is taken" in text
    assert f"…{first[-4:]} ended" in text


def test_what_cannot_be_rotated_or_revoked_is_said(url: str) -> None:
    cdp("create", "web-shop")
    for arguments, message in (
        (("rotate", "elsewhere"), "There is no source named elsewhere."),
        (("revoke", "web-shop", "none"), "No key of web-shop that is taken ends in none."),
        (("update", "web-shop", "--origin", "shop.example"), "origin: must be a scheme, a host"),
        (("end-visitor-tokens", "elsewhere"), "There is no source named elsewhere."),
    ):
        done = CliRunner().invoke(app, ["source", *arguments])
        assert str(done.exception).startswith(message)
    for wrong in (("rotate", "web-shop", "--overlap", "soon"), ("update", "web-shop")):
        assert CliRunner().invoke(app, ["source", *wrong]).exit_code == 2


def test_pages_and_what_visitors_are_told_can_be_changed(http: httpx2.Client) -> None:
    key = cdp("create", "web-shop", "--origin", "https://old.example")["write_key"]
    changed = cdp("update", "web-shop", "--origin", "https://shop.example", "--visitor-trait", "plan")
    assert (changed["origins"], changed["visitor_traits"]) == (["https://shop.example"], ["plan"])
    assert [status(http, key, origin=f"https://{name}.example") for name in ("old", "shop")] == [403, 200]
    closed = cdp("update", "web-shop", "--no-origins")
    assert (closed["origins"], closed["visitor_traits"]) == ([], ["plan"])
    assert cdp("update", "web-shop", "--no-visitor-traits")["visitor_traits"] == []
    assert [cdp("end-visitor-tokens", "web-shop")["generation"] for _ in range(2)] == [2, 3]


def test_what_an_operator_changed_is_on_record(url: str) -> None:
    first = cdp("create", "web-shop")["write_key"]
    cdp("rotate", "web-shop", "--overlap", "1h")
    cdp("revoke", "web-shop", first[-4:])
    cdp("update", "web-shop", "--no-origins")
    cdp("end-visitor-tokens", "web-shop")
    with connect(url) as connection:
        found = connection.execute(
            "SELECT event, actor, target, details FROM audit_record WHERE event ~ '^(write_key|source_|visitor_)' ORDER BY 1"
        ).fetchall()
    assert found == [
        ("source_changed", "command line", "web-shop", {"after": {"origins": [], "visitor_traits": VISITOR_TRAITS}}),
        ("visitor_tokens_ended", "command line", "web-shop", {"generation": 2}),
        ("write_key_revoked", "command line", "web-shop", {"hint": first[-4:]}),
        ("write_key_rotated", "command line", "web-shop", {"overlap_seconds": 3600}),
    ]
