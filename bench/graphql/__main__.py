"""Compare GraphQL servers on one machine, one database and the same answers: ours, hand-written SQL, PostGraphile, resolvers.

First every answer is compared with ours value by value. Then, in alternating rounds, each contender is asked each operation
over 1, 8 and 32 connections; figures are medians of the rounds. `rps` and `p99_ms` in the last line are those at eight
connections; `connections` holds all. Last line: {"operations", "scale", "uncached_ms", "cached_ms", …}.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx2
from rich.console import Console
from rich.table import Table

from bench.graphql import data
from bench.graphql.operations import CONTENDERS, Operation, levelled, operations
from bench.graphql.servers import Contender, contenders, ours_alone
from cdp.db import embedded
from cdp.db.embedded import EmbeddedServer

CONNECTIONS: Final = (1, 8, 32)
HEADLINE: Final = 8
WARM_SECONDS: Final = 1.0
UNCACHED_TRIES: Final = 15
CACHED_TRIES: Final = 60  # the pool hands out its connections in turn, and each prepares a statement for itself
LATE_SECONDS: Final = 60  # after which a run of the load generator is given up
# The data are made once and thrown away; how writes are made durable plays no part in reading them.
SERVER: Final = {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "8GB"}
Figures = dict[tuple[str, int, str], list[dict[str, float]]]


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--customers", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=1.5, help="of load for each figure of a round")
    arguments.add_argument("--scale", action="store_true", help="also compare with 1,000,000 customers; some minutes")
    given = arguments.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cdp-bench-", ignore_cleanup_errors=True)))
        server = stack.enter_context(embedded.start(folder, settings=SERVER))
        url = data.make(server, "bench", customers=given.customers)
        asked = operations(given.customers)
        client = data.token_client(url)
        with contenders(url, folder, client) as running:
            sizes = {each.name: compare(each, running) for each in asked}
            figures = measure(asked, running, rounds=given.rounds, seconds=given.seconds)
            uncached, cached = first_execution(asked[0], running["ours"])
        scale = growth(server, folder, url, client, given) if given.scale else {}
    result = {
        "operations": {each.name: summary(each.name, figures) for each in asked},
        "scale": scale,
        "uncached_ms": uncached,
        "cached_ms": cached,
        "customers": given.customers,
        "answer_bytes": sizes,
        "generator_cpu_share_most": max(each["cpu_share"] for found in figures.values() for each in found),
    }
    show(result, figures, asked)
    print(json.dumps(result))


def compare(operation: Operation, running: dict[str, Contender]) -> int:
    """Exit with a message unless all contenders give the same answers; else the size of ours in bytes."""
    sizes: list[int] = []
    bodies = {name: operation.requests(name) for name in running}
    for number in range(min(len(operation.variables), 5)):
        answers = {name: each.ask(operation.path(name), bodies[name][number]) for name, each in running.items()}
        expected = levelled(answers["ours"].get("data"))
        if not expected or answers["ours"].get("errors") or not all(expected.values()):
            sys.exit(f"{operation.name}: ours answers {str(answers['ours'])[:2000]}")
        for name, answer in answers.items():
            where = difference(expected, levelled(answer.get("data")))
            if where or answer.get("errors"):
                sys.exit(f"{operation.name}: {name} differs from ours {where} {str(answer.get('errors', ''))[:1000]}")
        sizes.append(len(json.dumps(answers["ours"], separators=(",", ":"))))
    return sizes[0]


def difference(expected: Any, found: Any, path: str = "data") -> str:
    """Where two levelled answers differ first; empty when they don't. The order of an object's fields is part of it."""
    if type(expected) is not type(found):
        return f"at {path}: {expected!r}, {found!r}"
    if isinstance(expected, dict):
        if list(expected) != list(found):
            return f"at {path}: fields {list(expected)}, {list(found)}"
        pairs = [(f"{path}.{name}", expected[name], found[name]) for name in expected]
    elif isinstance(expected, list):
        if len(expected) != len(found):
            return f"at {path}: {len(expected)} rows, {len(found)}"
        pairs = [(f"{path}[{n}]", one, other) for n, (one, other) in enumerate(zip(expected, found, strict=True))]
    else:
        return "" if expected == found else f"at {path}: {expected!r}, {found!r}"
    return next((where for where in (difference(one, other, at) for at, one, other in pairs) if where), "")


def measure(asked: tuple[Operation, ...], running: dict[str, Contender], *, rounds: int, seconds: float) -> Figures:
    """Figures by operation, connections and contender, one of each round; the contenders take turns within a round."""
    figures: Figures = defaultdict(list)
    for operation in asked:
        for contender in running.values():
            load(operation, contender, connections=HEADLINE, seconds=WARM_SECONDS)
    for number in range(rounds):
        for operation in asked:
            for connections in CONNECTIONS:
                turn = CONTENDERS[number % len(CONTENDERS) :] + CONTENDERS[: number % len(CONTENDERS)]
                for name in turn:
                    found = load(operation, running[name], connections=connections, seconds=seconds)
                    figures[operation.name, connections, name].append(found)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return figures


def load(operation: Operation, contender: Contender, *, connections: int, seconds: float) -> dict[str, float]:
    """One run of the load generator: requests a second, latencies in milliseconds."""
    asked = {
        "port": contender.port,
        "path": operation.path(contender.name),
        "headers": contender.headers_now(),
        "bodies": [body.decode() for body in operation.requests(contender.name)],
        "connections": connections,
        "seconds": seconds,
    }
    ran = subprocess.run(
        [sys.executable, "-m", "bench.graphql.load"],
        input=json.dumps(asked).encode(),
        capture_output=True,
        check=False,
        timeout=seconds + LATE_SECONDS,
    )
    if ran.returncode != 0:
        raise RuntimeError(f"{contender.name}, {operation.name}: {ran.stderr.decode()[-2000:]}")
    found = json.loads(ran.stdout)
    if found["wrong"]:
        raise RuntimeError(
            f"{contender.name}, {operation.name}: {found['wrong']} of {found['requests']} answers are wrong"
        )
    latencies = found["latencies_ms"]
    return {
        "rps": found["requests"] / found["seconds"],
        "p50_ms": latencies[len(latencies) // 2],
        "p99_ms": latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)],
        "cpu_share": found["cpu_share"],
    }


def first_execution(operation: Operation, contender: Contender) -> tuple[float, float]:
    """Milliseconds of an operation never seen before, and of the same again; medians over several operations.

    Each try renames the operation and a field, so that parsing, validating, compiling and preparing are all done anew.
    """
    uncached, cached = [], []
    headers = {**contender.headers_now(), "content-type": "application/json"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{contender.port}", headers=headers, trust_env=False) as client:
        for number in range(UNCACHED_TRIES):
            document = operation.text("ours").replace("lastSeenAt", f"seen{number}: lastSeenAt", 1)
            body = {"query": document, "variables": operation.variables[0]}
            took = []
            for _ in range(CACHED_TRIES):
                began = time.perf_counter()
                client.post("/graphql", json=body).raise_for_status()
                took.append((time.perf_counter() - began) * 1000)
            uncached.append(took[0])
            cached.append(statistics.median(took[CACHED_TRIES // 2 :]))
    return round(statistics.median(uncached), 1), round(statistics.median(cached), 1)


def growth(
    server: EmbeddedServer, folder: Path, url: str, client: tuple[str, str], given: argparse.Namespace
) -> dict[str, Any]:
    """How much slower ours is with a hundred times the customers: milliseconds at one connection, alternating."""
    many = 1_000_000
    began = time.perf_counter()
    large = data.make(server, "bench_large", customers=many)
    print(f"{many:,} customers made in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    large_client = data.token_client(large)
    figures: dict[str, dict[int, list[float]]] = {"nested": defaultdict(list), "single": defaultdict(list)}
    with ours_alone(url, folder, client) as small, ours_alone(large, folder, large_client) as big:
        for number in range(given.rounds + 1):
            for customers, contender in ((given.customers, small), (many, big)):
                for operation in operations(customers):
                    if operation.name in figures:
                        found = load(operation, contender, connections=HEADLINE, seconds=given.seconds)
                        if number:  # the first round warms up
                            figures[operation.name][customers].append(found["rps"])
    rps = {
        name: {size: round(statistics.median(each)) for size, each in found.items()} for name, found in figures.items()
    }
    return {
        "customers": [given.customers, many],
        "rps": rps,
        "slowdown": {name: round(each[given.customers] / each[many], 2) for name, each in rps.items()},
        "database": data.describe(large),
    }


def summary(name: str, figures: Figures) -> dict[str, Any]:
    """An operation's medians: at eight connections, and at each number of them."""

    def median(connections: int, contender: str, what: str) -> float:
        return round(statistics.median(each[what] for each in figures[name, connections, contender]), 1)

    headline = {what: {each: median(HEADLINE, each, what) for each in CONTENDERS} for what in ("rps", "p99_ms")}
    every = {
        str(connections): {
            what: {each: median(connections, each, what) for each in CONTENDERS} for what in ("rps", "p99_ms")
        }
        for connections in CONNECTIONS
    }
    return {**headline, "connections": every}


def show(result: dict[str, Any], figures: Figures, asked: tuple[Operation, ...]) -> None:
    """The table for people."""
    title = f"{result['customers']:,} customers, {os.cpu_count()} cores, Python {platform.python_version()}"
    table = Table(title=title)
    for column in ("operation", "connections", "contender", "requests/s", "p50 ms", "p99 ms", "ours is"):
        table.add_column(column, justify="left" if column in {"operation", "contender"} else "right")
    for operation in asked:
        for connections in CONNECTIONS:
            ours = statistics.median(each["rps"] for each in figures[operation.name, connections, "ours"])
            for name in CONTENDERS:
                found = figures[operation.name, connections, name]
                rps, p50, p99 = (
                    statistics.median(each[what] for each in found) for what in ("rps", "p50_ms", "p99_ms")
                )
                times = "" if name == "ours" else f"{ours / rps:.2f} ×"
                table.add_row(operation.name, str(connections), name, f"{rps:,.0f}", f"{p50:.1f}", f"{p99:.1f}", times)
            table.add_section()
    console = Console(width=120)
    console.print(table)
    console.print(f"First execution of a new operation: {result['uncached_ms']} ms, again: {result['cached_ms']} ms")


if __name__ == "__main__":
    main()
