"""Asking the graph from Python with an HTTP client and nothing else: a token, a question, a walk through pages, errors.

    CDP_URL=https://cdp.example CDP_CLIENT=… CDP_SECRET=… python examples/python_client.py K-1010

prints the balance of that account and its orders, oldest number first.
"""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

PAGE = 50
ORDERS = """
query Orders($number: String!, $first: Int!, $after: String) {
  account(number: $number) {
    orders(first: $first, after: $after, orderBy: [{ field: NUMBER }]) {
      nodes { number status placedAt total { amount currency } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
BALANCE = "query Balance($number: String!) { account(number: $number) { name balance { amount currency } } }"


class GraphError(Exception):
    """An answer with errors; `code` is for programs, the message for people, `data` whatever could be answered all the same."""

    def __init__(self, errors: list[dict[str, Any]], data: dict[str, Any] | None) -> None:
        super().__init__("; ".join(error["message"] for error in errors))
        self.code: str = errors[0]["extensions"]["code"]
        self.extensions: dict[str, Any] = errors[0]["extensions"]
        self.data = data


@dataclass(slots=True)
class Graph:
    """A client of one server. `http` has the server's address as its base; the token is fetched, and again before it expires."""

    http: httpx2.Client
    client_id: str
    client_secret: str
    _token: str = field(default="", init=False)
    _expires: float = field(default=0.0, init=False)

    def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The answer's data. Raises GraphError, and httpx2.HTTPStatusError where it was no GraphQL answer."""
        response = self.http.post(
            "/graphql",
            json={"query": document, "variables": variables},
            headers={"authorization": f"Bearer {self._fresh_token()}", "accept": "application/graphql-response+json"},
        )
        if not response.headers["content-type"].startswith("application/graphql-response+json"):
            response.raise_for_status()
        answer = response.json()
        if answer.get("errors"):
            raise GraphError(answer["errors"], answer.get("data"))
        data: dict[str, Any] = answer["data"]
        return data

    def orders(self, number: str, *, page: int = PAGE) -> Iterator[dict[str, Any]]:
        """Every order of an account, by number, a page at a time. Raises LookupError when there is no such account."""
        after = None
        while True:
            account = self.ask(ORDERS, number=number, first=page, after=after)["account"]
            if account is None:
                raise LookupError(number)
            yield from account["orders"]["nodes"]
            if not account["orders"]["pageInfo"]["hasNextPage"]:
                return
            after = account["orders"]["pageInfo"]["endCursor"]

    def _fresh_token(self) -> str:
        if time.monotonic() >= self._expires:
            response = self.http.post(
                "/idp/token", auth=(self.client_id, self.client_secret), data={"grant_type": "client_credentials"}
            )
            response.raise_for_status()
            told = response.json()
            self._token = told["access_token"]
            self._expires = time.monotonic() + told["expires_in"] * 0.9
        return self._token


def main(number: str) -> None:
    """Print an account's balance and orders."""
    with httpx2.Client(base_url=os.environ["CDP_URL"], timeout=30) as http:
        graph = Graph(http, os.environ["CDP_CLIENT"], os.environ["CDP_SECRET"])
        account = graph.ask(BALANCE, number=number)["account"]
        if account is None:
            sys.exit(f"There is no account {number}.")
        print(f"{account['name']}: {account['balance']['amount']} {account['balance']['currency']}")
        for order in graph.orders(number):
            print(f"{order['number']}  {order['status']}  {order['total']['amount']} {order['total']['currency']}")


if __name__ == "__main__":
    main(sys.argv[1])
