"""The load generator, a process of its own: keeps N connections busy for some seconds, each with one request under way.

Reads one JSON object from standard input ({"port", "path", "headers", "bodies", "connections", "seconds"}) and prints one
({"requests", "seconds", "latencies_ms", "cpu_share", "wrong"}). An answer is wrong when its status is not 200 or it holds
errors. `cpu_share` is the generator's own use of a core: far below 1, or it would be the bottleneck.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Iterator
from itertools import count
from typing import Any, cast

import httptools
import uvloop


class Client(asyncio.Protocol):
    """One connection: sends the next request when the last one has been answered, until told to stop."""

    def __init__(self, requests: list[bytes], turns: Iterator[int], deadline: float) -> None:
        self.latencies: list[float] = []
        self.wrong = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._turns = turns
        self._deadline = deadline
        self._body = bytearray()
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionError("the server closed the connection"))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self._began)
        self.wrong += self._parser.get_status_code() != 200 or b'"errors"' in self._body  # noqa: PLR2004
        if now < self._deadline:
            self._send()
        else:
            self.ended.set_result(None)
            self._transport.close()

    def _send(self) -> None:
        self._body.clear()
        self._parser = httptools.HttpResponseParser(self)
        self._began = time.perf_counter()
        self._transport.write(self._requests[next(self._turns) % len(self._requests)])


async def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Keep the server busy as asked, and tell how it went."""
    lines = [f"POST {asked['path']} HTTP/1.1", f"host: 127.0.0.1:{asked['port']}", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in asked["headers"].items()]
    requests = [
        "\r\n".join([*lines, f"content-length: {len(body.encode())}", "", body]).encode() for body in asked["bodies"]
    ]
    loop = asyncio.get_running_loop()
    turns = count()
    began = time.perf_counter()
    clients: list[Client] = []
    for _ in range(asked["connections"]):
        _, client = await loop.create_connection(
            lambda: Client(requests, turns, began + asked["seconds"]), "127.0.0.1", asked["port"]
        )
        clients.append(client)
    await asyncio.gather(*(client.ended for client in clients))
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    latencies = sorted(each for client in clients for each in client.latencies)
    return {
        "requests": len(latencies),
        "seconds": seconds,
        "latencies_ms": [round(each * 1000, 3) for each in latencies],
        "cpu_share": round((used.ru_utime + used.ru_stime) / seconds, 3),
        "wrong": sum(client.wrong for client in clients),
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.load(sys.stdin)))))
