"""Replay CDNOW's purchases (master file: 69,659) with Segment's own SDK into a running server, and print the rate.

Three processes, as in production: the sender (this one), `cdp serve` and `cdp work`, on a fresh embedded PostgreSQL with
its durability as shipped. The clock runs from the first call of the SDK to the last message stitched.
Last line: {"messages", "seconds", "rate", "acknowledged_rate", "customers", "totals_match"}.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import segment.analytics
from rich.console import Console
from rich.table import Table

from cdp.db import embedded
from cdp.db.engine import connect
from cdp.db.migrate import migrate
from cdp.ingest.sources import create_source
from tests.worker.cdnow import Purchase, purchases, replay


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--file", choices=["sample", "master"], default="master")
    arguments.add_argument("--senders", type=int, default=2, help="threads of the SDK")
    given = arguments.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1"
    told = list(purchases(given.file))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cdp-bench-", ignore_cleanup_errors=True)))
        server = stack.enter_context(embedded.start(folder))
        result = measure(server.url(), folder, told, senders=given.senders)
    table = Table(title=f"CDNOW {given.file} file, replayed by the Segment SDK")
    table.add_column("what")
    table.add_column("figure", justify="right")
    for name, figure in result.items():
        table.add_row(name.replace("_", " "), f"{figure:,}" if not isinstance(figure, bool) else str(figure))
    Console().print(table)
    print(json.dumps(result))
    if not result["totals_match"]:
        sys.exit(1)


def measure(database_url: str, folder: Path, told: list[Purchase], *, senders: int) -> dict[str, float | int | bool]:
    """Replay `told` and say how fast, and whether all of it is there."""
    migrate(database_url)
    with connect(database_url) as connection:
        source = create_source(connection, "cdnow", channel="web")
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "CDP_DATABASE_URL": database_url, "CDP_DATA_DIR": str(folder), "CDP_PUBLIC_URL": url}
    environment["CDP_LOG_LEVEL"] = "warning"
    failures: list[object] = []
    with ExitStack() as stack:
        stack.enter_context(_process(["serve", "--no-worker", "--port", str(port)], environment))
        stack.enter_context(_process(["work"], environment))
        _wait_for(f"{url}/healthz")
        client = segment.analytics.Client(
            write_key=source.write_key,
            host=url,
            on_error=lambda error, _: failures.append(error),
            thread=senders,
            max_queue_size=len(told) + 1,
            upload_size=500,
        )
        began = time.perf_counter()
        replay(client, told)
        acknowledged = time.perf_counter() - began
        with connect(database_url, autocommit=True) as connection:
            while connection.execute("SELECT EXISTS (SELECT FROM waiting_message)").fetchone() == (True,):
                time.sleep(0.05)
            seconds = time.perf_counter() - began
            row = connection.execute(
                "SELECT (SELECT count(*) FROM customer), count(*), sum(total) FROM sales_order"
            ).fetchone()
    assert row is not None
    expected = (len({one.customer for one in told}), len(told), sum(one.dollars for one in told))
    return {
        "messages": len(told),
        "seconds": round(seconds, 1),
        "rate": round(len(told) / seconds),
        "acknowledged_rate": round(len(told) / acknowledged),
        "customers": row[0],
        "totals_match": tuple(row) == expected and not failures,
    }


@contextmanager
def _process(arguments: list[str], environment: dict[str, str]) -> Iterator[None]:
    program = [sys.executable, "-c", "from cdp.cli import main; main()", *arguments]
    running = subprocess.Popen(program, env=environment)  # noqa: S603 — our own program
    try:
        yield
    finally:
        running.terminate()
        running.wait(timeout=30)


def _wait_for(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            direct.open(url, timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
