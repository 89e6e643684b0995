"""The clients in `examples/` work against the served application, and say what is wrong when something is."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from gql.transport.exceptions import TransportQueryError

from examples.python_client import Graph, GraphError
from examples.typed_client import KeyAccount, key_accounts, open_client
from tests.schema.conftest import Door

FOLDER = Path(__file__).parents[2] / "examples"
KEY_ACCOUNTS = ["K-1010", "K-1020", "K-1030", "K-1040"]


@pytest.fixture
def graph(door: Door) -> Graph:
    assert door.tool.client_secret is not None
    return Graph(door.http, door.tool.client_id, door.tool.client_secret)


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, FOLDER / script, *arguments], env={**os.environ, **environment},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("page", [1, 3, 100])
def test_walking_the_pages_meets_every_order_once(graph: Graph, page: int) -> None:
    assert [order["number"] for order in graph.orders("K-1010", page=page)] == [f"SO-10-{n}" for n in (1, 2, 3, 4)]


def test_an_account_that_is_not_there_and_a_refusal_are_told_apart(door: Door, graph: Graph) -> None:
    with pytest.raises(LookupError):
        list(graph.orders("nothing"))
    with pytest.raises(GraphError) as invalid:
        graph.ask("{ nothing }")
    assert (invalid.value.code, invalid.value.data) == ("graphql_invalid", None)
    assert door.narrow.client_secret is not None
    narrow = Graph(door.http, door.narrow.client_id, door.narrow.client_secret)
    with pytest.raises(GraphError) as refused:
        narrow.ask('{ account(number: "K-1010") { number balance { amount } } }')
    assert refused.value.extensions["scope"] == "ledger:read"


def test_the_python_example_prints_an_account(door: Door) -> None:
    assert door.tool.client_secret is not None
    done = run(
        "python_client.py",
        "K-1010",
        CDP_URL=door.url,
        CDP_CLIENT=door.tool.client_id,
        CDP_SECRET=door.tool.client_secret,
    )
    assert done.returncode == 0, done.stderr
    first, *orders = done.stdout.splitlines()
    assert first == "Account 10: 852.00 EUR"
    assert [line.split()[0] for line in orders] == [f"SO-10-{n}" for n in (1, 2, 3, 4)]


def test_the_typed_client_reads_what_it_asked_for(door: Door) -> None:
    client = open_client(door.url, door.token)
    found = key_accounts(client, page=3)
    assert [account.number for account in found] == KEY_ACCOUNTS
    assert found[0] == KeyAccount("K-1010", "Account 10", Decimal("852.00"), "EUR")
    with pytest.raises(TransportQueryError) as refused:
        key_accounts(open_client(door.url, door.token_of(door.narrow)))
    assert refused.value.errors is not None
    assert refused.value.errors[0]["extensions"]["code"] == "scope_missing"


def test_the_typed_example_prints_key_accounts(door: Door) -> None:
    done = run("typed_client.py", CDP_URL=door.url, CDP_TOKEN=door.token)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == KEY_ACCOUNTS
