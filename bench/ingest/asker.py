"""Asks the same things again and again over N connections, a process of its own: how long each answer takes.

Reads one JSON object from standard input ({"port", "paths", "token", "connections", "seconds"}) and prints one
({"latencies_ms"}). An answer other than 200 ends it.
"""

import asyncio
import itertools
import json
import sys
import time
from typing import Any

import uvloop

from bench.ingest.sender import OK, open_connection


async def run(asked: dict[str, Any]) -> list[float]:
    """Seconds that each answer took, sorted."""
    requests = [
        f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {asked['token']}\r\n\r\n".encode()
        for path in asked["paths"]
    ]
    turns = itertools.cycle(requests)
    deadline = time.perf_counter() + asked["seconds"]
    taken: list[float] = []

    async def ask() -> None:
        connection = await open_connection(asked["port"])
        while time.perf_counter() < deadline:
            began = time.perf_counter()
            status, answer = await connection.ask(next(turns))
            if status != OK:
                raise RuntimeError(f"{status} {answer[:500]!r}")
            taken.append(time.perf_counter() - began)
        connection.close()

    await asyncio.gather(*(ask() for _ in range(asked["connections"])))
    return sorted(taken)


if __name__ == "__main__":
    latencies = uvloop.run(run(json.load(sys.stdin)))
    print(json.dumps({"latencies_ms": [round(each * 1000, 3) for each in latencies]}))
