"""The load generator, a process of its own: sends prepared batches over N connections, and watches when they can be read.

Reads one JSON object from standard input ({"port", "write_key", "file", "connections", "per_second", "probes", "graphql"}),
the batches from `file` (each a length of four bytes, then the body), and prints one object ({"seconds", "requests", "refused",
"latencies_ms", "visible_ms", "cpu_share"}). Each connection has one request under way. Whoever is told 429 or 503 waits and
sends the batch again. `probes` names an order in each n-th batch (null: none); from its acknowledgement on GraphQL is
asked for it, as `graphql` ({"token"}) says, until it is there; `seconds` end with the last answer of either kind.
"""

import asyncio
import base64
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import httptools
import uvloop

ASK_EVERY_SECONDS: Final = 0.02
MOST_ASKED: Final = 100
GIVEN_UP_SECONDS: Final = 120
_QUERY: Final = (
    "query($numbers: [String!]) { orders(first: 100, filter: {number: {in: $numbers}}) { nodes { number } } }"
)
OK: Final = 200
_COME_BACK: Final = (429, 503)


class Connection(asyncio.Protocol):
    """One connection to the server: a request, then its answer."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._body = bytearray()

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        self._body.clear()
        self._parser = httptools.HttpResponseParser(self)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the server closed the connection"))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert self._answer is not None
        self._answer.set_result((self._parser.get_status_code(), bytes(self._body)))


class Run:
    """What is sent and what came of it."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.latencies: list[float] = []
        self.visible: list[float] = []
        self.refused = 0
        self._asked = asked
        self._pending: dict[str, float] = {}
        self._is_sending = True
        key = base64.b64encode(f"{asked['write_key']}:".encode()).decode()
        self._head = f"POST /v1/batch HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Basic {key}\r\n".encode()
        self._batches = enumerate(_batches(Path(asked["file"])))

    async def run(self) -> float:
        """Send everything and see it; seconds."""
        began = time.perf_counter()
        watching = asyncio.create_task(self._watch()) if self._asked["graphql"] else None
        await asyncio.gather(*(self._send(began) for _ in range(self._asked["connections"])))
        self._is_sending = False
        if watching is not None:
            await watching
        return time.perf_counter() - began

    async def _send(self, began: float) -> None:
        connection = await open_connection(self._asked["port"])
        for number, body in self._batches:
            if self._asked["per_second"]:
                await asyncio.sleep(max(0.0, began + number / self._asked["per_second"] - time.perf_counter()))
            request = b"%bcontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
                self._head,
                len(body),
                body,
            )
            sent = time.perf_counter()
            while True:
                status, answer = await connection.ask(request)
                if status == OK:
                    break
                if status not in _COME_BACK:
                    raise RuntimeError(f"{status} {answer[:500]!r}")
                self.refused += 1
                await asyncio.sleep(0.5)
            acknowledged = time.perf_counter()
            self.latencies.append(acknowledged - sent)
            probes = self._asked["probes"]
            if probes is not None and str(number) in probes:
                self._pending[probes[str(number)]] = acknowledged
        connection.close()

    async def _watch(self) -> None:
        connection = await open_connection(self._asked["port"])
        head = (
            f"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {self._asked['graphql']['token']}\r\n"
        )
        last = time.perf_counter()
        while self._is_sending or self._pending:
            numbers = list(self._pending)[:MOST_ASKED]
            if numbers:
                body = json.dumps({"query": _QUERY, "variables": {"numbers": numbers}})
                request = f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
                _, answer = await connection.ask(request.encode())
                now = time.perf_counter()
                found = json.loads(answer)["data"]["orders"]["nodes"]
                self.visible.extend(now - self._pending.pop(node["number"]) for node in found)
                last = now if found or self._is_sending else last
                if now - last > GIVEN_UP_SECONDS:
                    raise RuntimeError(f"{len(self._pending)} messages were acknowledged and never seen")
            await asyncio.sleep(ASK_EVERY_SECONDS)
        connection.close()


def _batches(file: Path) -> Iterator[bytes]:
    held = file.read_bytes()
    at = 0
    while at < len(held):
        end = at + 4 + int.from_bytes(held[at : at + 4], "big")
        yield held[at + 4 : end]
        at = end


async def open_connection(port: int) -> Connection:
    """A new connection."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


async def main() -> None:
    """Run as told."""
    run = Run(json.load(sys.stdin))
    seconds = await run.run()
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "seconds": seconds,
        "requests": len(run.latencies),
        "refused": run.refused,
        "latencies_ms": sorted(round(each * 1000, 2) for each in run.latencies),
        "visible_ms": sorted(round(each * 1000, 1) for each in run.visible),
        "cpu_share": round((used.ru_utime + used.ru_stime) / seconds, 3),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    uvloop.run(main())
