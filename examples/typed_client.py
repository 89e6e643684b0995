"""Asking the graph with gql, which knows the contract: what isn't in `schema.graphql` can't be written, and is told before
anything is sent.

    pip install 'gql[httpx2]'
    CDP_URL=https://cdp.example CDP_TOKEN=… python examples/typed_client.py

prints key accounts with what they owe.
"""

import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from gql import Client
from gql.dsl import DSLQuery, DSLSchema, dsl_gql
from gql.transport.httpx import HTTPXTransport
from graphql import build_schema

CONTRACT = build_schema((Path(__file__).parents[1] / "schema.graphql").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class KeyAccount:
    """An account and what it owes, in its own currency; negative when in credit."""

    number: str
    name: str
    balance: Decimal
    currency: str


def open_client(url: str, token: str) -> Client:
    """A client of the server at `url` that holds every question to the contract."""
    transport = HTTPXTransport(f"{url}/graphql", headers={"authorization": f"Bearer {token}"}, trust_env=False)
    return Client(transport=transport, schema=CONTRACT)


def key_accounts(client: Client, *, page: int = 100) -> list[KeyAccount]:
    """All key accounts, by number. Raises gql's TransportQueryError with the server's errors."""
    contract = DSLSchema(CONTRACT)
    found: list[KeyAccount] = []
    after = None
    while True:
        connection = contract.Query.accounts(first=page, after=after, filter={"tier": {"eq": "KEY"}}).select(
            contract.AccountConnection.nodes.select(
                contract.Account.number,
                contract.Account.name,
                contract.Account.balance.select(contract.Money.amount, contract.Money.currency),
            ),
            contract.AccountConnection.pageInfo.select(contract.PageInfo.hasNextPage, contract.PageInfo.endCursor),
        )
        accounts = client.execute(dsl_gql(DSLQuery(connection)))["accounts"]
        found += [
            KeyAccount(node["number"], node["name"], Decimal(node["balance"]["amount"]), node["balance"]["currency"])
            for node in accounts["nodes"]
        ]
        if not accounts["pageInfo"]["hasNextPage"]:
            return found
        after = accounts["pageInfo"]["endCursor"]


if __name__ == "__main__":
    for account in key_accounts(open_client(os.environ["CDP_URL"], os.environ["CDP_TOKEN"])):
        print(f"{account.number}  {account.name}  {account.balance} {account.currency}")
