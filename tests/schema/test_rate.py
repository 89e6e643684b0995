"""Nodes in a while, over real requests: what remains is told, too much is a 429, and each viewer has their own."""

from collections.abc import Callable, Iterator

import pytest

from cdp.app import create_app
from cdp.settings import Settings
from tests.live import client, serve
from tests.schema.conftest import GRAPHQL_RESPONSE, Door

ASKED = "{ customers(first: 10) { nodes { name } } }"


@pytest.fixture(scope="module")
def strict(door: Door, settings_for: Callable[..., Settings]) -> Iterator[Door]:
    """The application beside the first, on the same database, with a hundred nodes an hour for each tool."""
    with serve(create_app(settings_for(rate_graphql_tool="100/hour"))) as url, client(url) as http:
        yield Door(url=url, http=http, tool=door.tool, narrow=door.narrow, token=door.token)


def test_who_asks_too_much_in_a_while_waits_and_others_do_not(strict: Door) -> None:
    first = strict.ask(ASKED, extensions={"cost": True})
    assert first.headers["ratelimit-policy"] == '"graph";q=100;w=3600'
    nodes = first.json()["extensions"]["cost"]["nodes"]
    remaining = first.json()["extensions"]["cost"]["remaining"]
    assert remaining == 100 - nodes - 1
    assert first.headers["ratelimit"].startswith(f'"graph";r={remaining};t=')

    answers = [strict.ask(ASKED) for _ in range(100 // nodes + 2)]
    statuses = [each.status_code for each in answers]
    refused = answers[statuses.index(429)]
    assert set(statuses) == {200, 429}
    assert statuses == sorted(statuses), "once too much was asked, nothing is let in"
    body = refused.json()
    assert refused.headers["content-type"] == f"{GRAPHQL_RESPONSE}; charset=utf-8"
    assert (body["code"], body["retry_after_seconds"]) == ("too_many_requests", int(refused.headers["retry-after"]))
    assert body["message"] == f"Too many requests; try again in {refused.headers['retry-after']} seconds."
    assert body["errors"][0]["extensions"]["code"] == "too_many_requests"
    assert "data" not in body
    plain = strict.post({"query": ASKED}, accept="application/json")
    assert (plain.status_code, plain.headers["content-type"]) == (429, "application/json; charset=utf-8")
    assert strict.ask("{ viewer { kind } }", token=strict.token_of(strict.narrow)).status_code == 200


def test_what_cannot_be_run_costs_little(strict: Door) -> None:
    token = strict.token_of(strict.narrow)
    before = strict.ask("{ viewer { kind } }", token=token, extensions={"cost": True}).json()["extensions"]["cost"]
    for _ in range(3):
        assert strict.ask("{ nothing }", token=token).status_code == 400
    after = strict.ask("{ viewer { kind } }", token=token, extensions={"cost": True}).json()["extensions"]["cost"]
    assert before["remaining"] - after["remaining"] in {3, 4}
