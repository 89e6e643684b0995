"""What row-level security costs: the extranet's own operations, with the policies and without, in alternating rounds.

Both graphs run in this process on one database and answer the same members. One plays `cdp_portal`, which every policy applies
to; the other the superuser, whom none does, and for whom entering an account does nothing. What the application checks is the
same in both. First all answers are compared. The ratio of an operation is the median of the rounds' ratios; `walls_ratio` their
geometric mean.
Last line: {"walls_ratio", "worst_ratio", "operations", …}.
"""

import argparse
import asyncio
import json
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final, cast

import psycopg
from psycopg.conninfo import make_conninfo
from rich.console import Console
from rich.table import Table

from bench.graphql import data
from cdp.access.viewer import Member, Role
from cdp.db import embedded
from cdp.schema import Graph, StoredOperation, open_graph
from extranet.orders_filter import LATE, OPEN
from extranet.portal import load_operations

CONNECTIONS: Final = 4
MEMBERS: Final = 50
TODAY: Final = datetime.now(UTC).date()
OPERATIONS: Final[dict[str, dict[str, Any]]] = {
    "home": {"ledger": True, "open": OPEN, "late": LATE, "first": 8},
    "orders": {"filter": {}, "first": 25},
    "invoices": {"filter": {}, "first": 25},
    "statement_open_items": {"to": TODAY.isoformat(), "whole": True},
    "statement_balance_forward": {
        "from": f"{TODAY.year - 1}-01-01",
        "to": TODAY.isoformat(),
        "first": 100,
        "whole": False,
    },
}
_SERVER: Final = {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "8GB"}
_NO_ENTRY: Final = """
    CREATE SCHEMA without_walls;
    CREATE FUNCTION without_walls.enter_account(uuid, uuid, uuid) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true'"""
_MEMBERS: Final = """
    WITH made AS (
        INSERT INTO member (issuer, subject, email, name)
        SELECT 'https://issuer.example', number, number || '@example.com', number
        FROM (SELECT number FROM account ORDER BY account_id LIMIT %s) AS chosen
        RETURNING member_id, subject)
    INSERT INTO membership (account_id, member_id, role)
    SELECT account_id, member_id, 'client_admin' FROM made JOIN account ON account.number = subject
    RETURNING member_id, account_id"""


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=float, default=1.0, help="of load for each figure of a round")
    given = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="cdp-bench-", ignore_cleanup_errors=True) as folder,
        embedded.start(Path(folder), settings=_SERVER) as server,
    ):
        url = data.make(server, "bench", customers=given.customers)
        with psycopg.connect(url) as connection:
            connection.execute(_NO_ENTRY)
            rows = connection.execute(_MEMBERS, [MEMBERS]).fetchall()
            connection.execute("ANALYZE")
        members = [Member(member_id=member, account_id=account, role=Role.CLIENT_ADMIN) for member, account in rows]
        figures = asyncio.run(measure(url, members, rounds=given.rounds, seconds=given.seconds))
    ratios = {name: statistics.median(wall / none for wall, none in found) for name, found in figures.items()}
    result = {
        "walls_ratio": round(statistics.geometric_mean(ratios.values()), 3),
        "worst_ratio": round(min(ratios.values()), 3),
        "operations": {
            name: {
                "ratio": round(ratios[name], 3),
                "rps": round(statistics.median(wall for wall, _ in found)),
                "rps_without": round(statistics.median(none for _, none in found)),
            }
            for name, found in figures.items()
        },
        "customers": given.customers,
        "rounds": given.rounds,
    }
    show(result)
    print(json.dumps(result))


async def measure(
    url: str, members: list[Member], *, rounds: int, seconds: float
) -> dict[str, list[tuple[float, float]]]:
    """Requests a second of each operation with the policies and without, a pair for each round."""
    stored = load_operations()
    figures: dict[str, list[tuple[float, float]]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        without = make_conninfo(url, options="-c search_path=without_walls,public")
        portal, nobody = [
            await stack.enter_async_context(open_graph(to, role, max_connections=CONNECTIONS))
            for to, role in ((url, "cdp_portal"), (without, cast("Any", None)))
        ]
        for name, variables in OPERATIONS.items():
            await compare(stored[name], variables, portal, nobody, members)
            for graph in (portal, nobody):
                await load(graph, stored[name], variables, members, seconds=seconds)
        for number in range(rounds):
            for name, variables in OPERATIONS.items():
                found = {}
                for graph in (portal, nobody) if number % 2 else (nobody, portal):
                    found[graph is portal] = await load(graph, stored[name], variables, members, seconds=seconds)
                figures[name].append((found[True], found[False]))
    return figures


async def compare(
    operation: StoredOperation, variables: dict[str, Any], portal: Graph, nobody: Graph, members: list[Member]
) -> None:
    """Raise RuntimeError unless both answer alike, and with something."""
    for member in members[:5]:
        told, untold = [await graph.execute(operation, variables, member, today=TODAY) for graph in (portal, nobody)]
        if told != untold or told.errors or not told.data or not told.data["viewer"]["account"]:
            raise RuntimeError(f"{operation.name}: {told} is not {untold}")


async def load(
    graph: Graph, operation: StoredOperation, variables: dict[str, Any], members: list[Member], *, seconds: float
) -> float:
    """Requests a second, each connection with one under way, going round the members."""
    turns, answered, ends_at = count(), 0, time.perf_counter() + seconds

    async def keep_asking() -> None:
        nonlocal answered
        while time.perf_counter() < ends_at:
            result = await graph.execute(operation, variables, members[next(turns) % len(members)], today=TODAY)
            if result.errors:
                raise RuntimeError(f"{operation.name}: {result.errors}")
            answered += 1

    began = time.perf_counter()
    await asyncio.gather(*(keep_asking() for _ in range(CONNECTIONS)))
    return answered / (time.perf_counter() - began)


def show(result: dict[str, Any]) -> None:
    """The table for people."""
    table = Table(title=f"Requests a second, {CONNECTIONS} connections, {platform.machine()}")
    for name in ("operation", "with policies", "without", "ratio"):
        table.add_column(name, justify="left" if name == "operation" else "right")
    for name, found in result["operations"].items():
        table.add_row(name, f"{found['rps']:,}", f"{found['rps_without']:,}", f"{found['ratio']:.2f}")
    table.add_row("all", "", "", f"{result['walls_ratio']:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
