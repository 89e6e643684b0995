"""Measure the tracking API beside plain COPY on one server: acknowledged, end to end, time until visible, and growth.

Within a round COPY and the API take the same number of messages, the one in commits of 100, the other in batches of 100;
figures are medians of the rounds. Every message is checked to be there in the end. fsync and synchronous_commit are on.
Last line: {"acknowledged_to_copy", "end_to_end_to_copy", "visible_p99_ms", "recognise_p99_to_select", "growth", "memory_mb", …};
with `--scale 0` there is no `growth`, nor what memory does over a million messages.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
from rich.console import Console
from rich.table import Table

from bench.ingest.messages import Prepared, first_visits, growing_visits, probe, visits, visits_in_turn
from bench.ingest.running import Running, ask, running, selecting
from cdp.access.people import create_client
from cdp.access.viewer import READ_SCOPES
from cdp.db import embedded
from cdp.db.embedded import EmbeddedServer
from cdp.db.engine import connect
from cdp.db.migrate import migrate
from cdp.ingest.sources import create_source

PER_BATCH: Final = 100
CONNECTIONS: Final = 8
PROBE_EVERY: Final = 3
"""At half load every third batch ends with an order that is looked for."""
STEPS: Final = 20
GROWTH_MESSAGES: Final = 20_000
"""Of a round while growth is measured, if --messages isn't less: newcomers are a quarter, and the small graph stays small."""
WARM: Final = 5
"""Before growth is measured come a fifth as many messages as there are customers. After a checkpoint the first change of a page
writes all of it to the log, and among a million customers pages are many.
"""
HOLDS: Final = {
    "acknowledged_to_copy": ("≥", 0.4),
    "end_to_end_to_copy": ("≥", 0.15),
    "visible_p99_ms": ("≤", 1_000),
    "growth": ("≤", 1.5),
    "recognise_p99_to_select": ("≤", 3),
}
Figures = dict[str, Any]
T = TypeVar("T")


def server_settings() -> dict[str, str]:
    """As docs/operate.md tells: a quarter of memory, and checkpoints by the clock; forced by a full log, they would fall now on
    one contender, now on the other.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "shared_buffers": f"{max(256, memory // 4 // 1024**2)}MB",
        "max_wal_size": "16GB",
        "checkpoint_timeout": "15min",
    }


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--messages", type=int, default=50_000, help="of each contender in each round")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--customers", type=int, default=10_000, help="in the graph while the ratios are measured")
    arguments.add_argument("--seconds", type=float, default=30, help="at half load")
    arguments.add_argument(
        "--scale",
        type=int,
        default=1_000_000,
        metavar="CUSTOMERS",
        help="grow a graph to so many; 1,000,000 take ten minutes, 0 leaves growth out",
    )
    given = arguments.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cdp-bench-", ignore_cleanup_errors=True)))
        server = stack.enter_context(embedded.start(folder, settings=server_settings()))
        small = stack.enter_context(_pair(server, folder, "small"))
        _grow(small, folder, range(given.customers), step=given.customers)
        result = _measure(small, folder, given) | _recognition(small, folder, given)
        if given.scale:
            large = stack.enter_context(_pair(server, folder, "large"))
            result |= _growth(small, large, folder, given)
        result["durability"] = _durability(small.url)
    _show(result)
    print(json.dumps(result))


def _pair(server: EmbeddedServer, folder: Path, name: str) -> Any:
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    url = server.url(name)
    migrate(url)
    with connect(url) as connection:
        source = create_source(connection, "web-shop", channel="web")
        client = create_client(connection, name="Bench", scopes=READ_SCOPES)
    assert client.client_secret is not None
    postmaster = int((server.data_directory / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    secret = (client.client_id, client.client_secret)
    return running(url, folder, name, write_key=source.write_key, client=secret, postmaster=postmaster)


def _measure(pair: Running, folder: Path, given: argparse.Namespace) -> Figures:
    """The ratios, and the time until messages can be read at half the rate."""
    copied, acknowledged, through, alone = [], [], [], []
    latencies: list[float] = []
    used: dict[str, list[float]] = {"api": [], "worker": [], "database": []}
    for number in range(given.rounds + 1):  # the first warms up
        visitors = range(given.customers)
        round_copied = _copy(pair.url, list(visits(f"c{number}", given.messages, visitors=visitors)))
        file, _ = _prepare(folder, visits(f"a{number}", given.messages, visitors=visitors))
        with pair.worker_paused():
            taken = pair.send(file, connections=CONNECTIONS)
        round_stitched = pair.drain()
        sent = visits(f"e{number}", given.messages, visitors=visitors)
        told = _end_to_end(pair, folder, f"e{number}", sent, given.messages)
        if number:
            for process, seconds in told["cpu_seconds"].items():
                used[process].append(seconds / given.messages)
            copied.append(given.messages / round_copied)
            acknowledged.append(given.messages / taken["seconds"])
            alone.append(given.messages / round_stitched)
            through.append(given.messages / told["seconds"])
            latencies += taken["latencies_ms"]
            print(f"round {number} of {given.rounds}", file=sys.stderr)
    rate = statistics.median(through) / 2
    visible = _visible(pair, folder, given, rate=rate)
    copy = statistics.median(copied)
    return {
        "acknowledged_to_copy": round(statistics.median(acknowledged) / copy, 3),
        "end_to_end_to_copy": round(statistics.median(through) / copy, 3),
        "visible_p99_ms": _percentile(visible, 99),
        "visible_p50_ms": _percentile(visible, 50),
        "visible_at_per_second": round(rate),
        "visible_sample": len(visible),
        "copy_per_second": round(copy),
        "acknowledged_per_second": round(statistics.median(acknowledged)),
        "end_to_end_per_second": round(statistics.median(through)),
        "stitched_per_second": round(statistics.median(alone)),
        "acknowledged_p99_ms": _percentile(sorted(latencies), 99),
        "end_to_end_cpu_microseconds": {
            process: round(statistics.median(each) * 1e6, 1) for process, each in used.items() if each
        },
        "messages": given.messages,
        "rounds": given.rounds,
        "customers": given.customers,
    }


def _copy(url: str, messages: list[Prepared]) -> float:
    """Seconds that plain COPY takes for the messages in commits of 100, into a table with the inbox's key and columns."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS copied")
        connection.execute(
            "CREATE TABLE copied (source_id uuid NOT NULL, message_id text NOT NULL, body json NOT NULL,"
            " received_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (source_id, message_id))"
        )
        source_id = connection.execute("SELECT source_id FROM source").fetchone()
        assert source_id is not None
        rows = [(source_id[0], one.message_id, one.body.decode()) for one in messages]
        began = time.perf_counter()
        for batch in _batches(rows):
            with (
                connection.transaction(),
                connection.cursor() as cursor,
                cursor.copy("COPY copied (source_id, message_id, body) FROM STDIN") as copy,
            ):
                for row in batch:
                    copy.write_row(row)
        seconds = time.perf_counter() - began
        connection.execute("DROP TABLE copied")
    return seconds


def _end_to_end(pair: Running, folder: Path, name: str, messages: Iterable[Prepared], count: int) -> Figures:
    """Send these at full speed, worker running; `seconds` until the last batches' orders are seen in GraphQL and nothing waits,
    and `cpu_seconds` by process meanwhile.
    """
    file, probes = _prepare(folder, messages, probe_name=name, probe_last=CONNECTIONS)
    before, began = _stored(pair.url), pair.cpu_seconds()
    told = pair.send(file, connections=CONNECTIONS, probes=probes)
    told["seconds"] += pair.drain()
    told["cpu_seconds"] = {process: used - began[process] for process, used in pair.cpu_seconds().items()}
    after = _stored(pair.url)
    if [new - old for old, new in zip(before, after, strict=True)] != [count, 0]:
        sys.exit(f"{count} messages were sent, the inbox went from {before} to {after}")
    return told


def _visible(pair: Running, folder: Path, given: argparse.Namespace, *, rate: float) -> list[float]:
    """Milliseconds from acknowledgement to being there in GraphQL, at `rate` messages a second."""
    count = int(rate * given.seconds) // PER_BATCH * PER_BATCH
    messages = visits("v", count, visitors=range(given.customers))
    file, probes = _prepare(folder, messages, probe_name="v", probe_every=PROBE_EVERY)
    told = pair.send(file, connections=CONNECTIONS, per_second=rate / PER_BATCH, probes=probes)
    visible: list[float] = told["visible_ms"]
    return visible


def _recognition(pair: Running, folder: Path, given: argparse.Namespace) -> Figures:
    """The slowest hundredth of `GET /v1/recognise` beside that of a bare SELECT, alternating; nothing waits meanwhile."""
    with psycopg.connect(pair.url, autocommit=True) as connection:
        held = connection.execute("SELECT value FROM identifier WHERE namespace = 'user_id' LIMIT 1000").fetchall()
    paths = [f"/v1/recognise?user_id={value}" for (value,) in held]
    slowest: dict[str, list[float]] = {"recognise": [], "select": []}
    with selecting(pair.url, folder) as port:
        token = pair.token()
        for number in range(given.rounds + 1):
            for name, where in (("recognise", pair.port), ("select", port)):
                taken = ask(where, token, paths, connections=CONNECTIONS, seconds=2)
                if number:
                    slowest[name].append(_percentile(taken, 99))
    p99 = {name: statistics.median(each) for name, each in slowest.items()}
    return {
        "recognise_p99_to_select": round(p99["recognise"] / p99["select"], 2),
        "recognise_p99_ms": p99["recognise"],
        "select_p99_ms": p99["select"],
    }


def _growth(small: Running, large: Running, folder: Path, given: argparse.Namespace) -> Figures:
    """Cost of a message in the large graph over its cost in the small one, alternating; memory on the way there.

    `growth` is of the messages that make a graph grow; beside it that of known visitors alone, of them right after a checkpoint,
    too. As many visitors are there at once in the one as in the other: what differs is how many they are found among.
    """
    memory = _grow(large, folder, range(given.scale), step=max(PER_BATCH, given.scale // STEPS))
    sizes = {"small": (small, given.customers), "large": (large, given.scale)}
    for pair, _ in sizes.values():
        with psycopg.connect(pair.url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")
    count = min(given.messages, GROWTH_MESSAGES)
    warm = max(count, given.scale // WARM // PER_BATCH * PER_BATCH)
    cost: dict[tuple[str, str], list[float]] = {}

    def run(kind: str, name: str, messages: Callable[..., Iterable[Prepared]], count: int, **among: range) -> None:
        told = f"{kind} {len(cost.setdefault((kind, name), []))}"
        sent = messages(told, count, visitors=range(sizes[name][1]), **among)
        cost[kind, name].append(_end_to_end(sizes[name][0], folder, told, sent, count)["seconds"] / count * 1e6)

    for name in sizes:
        run("cold", name, visits_in_turn, count)
        run("warming", name, visits_in_turn, warm)
    for number in range(given.rounds):
        newcomers = range(2 * given.scale + number * count, 2 * given.scale + (number + 1) * count)
        for name in sizes:
            run("growing", name, growing_visits, count, newcomers=newcomers)
            run("known", name, visits_in_turn, count)
        now = ", ".join(
            f"{name} {cost['growing', name][-1]:.0f} and {cost['known', name][-1]:.0f} µs" for name in sizes
        )
        print(f"growing and known, round {number + 1} of {given.rounds}: {now}", file=sys.stderr)
    median = {place: statistics.median(each) for place, each in cost.items()}

    def ratio(kind: str) -> float:
        return round(median[kind, "large"] / median[kind, "small"], 2)

    return {
        "growth": ratio("growing"),
        "growth_known": ratio("known"),
        "growth_after_checkpoint": ratio("cold"),
        "microseconds_a_message": {f"{kind} {name}": round(each) for (kind, name), each in median.items()},
        "scale": given.scale,
        **memory,
    }


def _grow(pair: Running, folder: Path, visitors: range, *, step: int) -> Figures:
    """Bring in visitors; first and last memory after a tenth and after all of it, and how many a second."""
    began, memory = time.perf_counter(), []
    for start in range(visitors.start, visitors.stop, step):
        part = range(start, min(start + step, visitors.stop))
        file, _ = _prepare(folder, first_visits(f"grow {start}", part))
        pair.send(file, connections=CONNECTIONS)
        pair.drain()
        memory.append(pair.memory_mb())
        if len(visitors) > step:
            rate = (part.stop - visitors.start) / (time.perf_counter() - began)
            told = ", ".join(f"{name} {size:.0f} MiB" for name, size in memory[-1].items())
            print(f"{part.stop:,} of {visitors.stop:,} customers, {rate:,.0f} a second; {told}", file=sys.stderr)
    first, last = memory[len(memory) // 10], memory[-1]
    with psycopg.connect(pair.url, autocommit=True) as connection:
        held = connection.execute("SELECT count(*) FROM customer").fetchone()
        if held != (len(visitors),):
            raise RuntimeError(f"{len(visitors)} visitors became {held} customers")
        connection.execute("VACUUM (ANALYZE)")
    return {
        "memory_mb": {name: [round(first[name], 1), round(last[name], 1)] for name in first},
        "memory_growth": round(max(last[name] / first[name] for name in first), 2),
        "first_visits_per_second": round(len(visitors) / (time.perf_counter() - began)),
    }


def _prepare(
    folder: Path,
    messages: Iterable[Prepared],
    *,
    probe_name: str = "",
    probe_every: int = 0,
    probe_last: int = 0,
) -> tuple[Path, dict[int, str]]:
    """The batches as the load generator reads them; and, by batch, the order that stands for its last message."""
    batches = list(_batches(messages))
    probes: dict[int, str] = {}
    file = folder / "batches"
    with file.open("wb") as output:
        for number, batch in enumerate(batches):
            bodies = [one.body for one in batch]
            if number >= len(batches) - probe_last or (probe_every and number % probe_every == 0):
                probes[number] = f"probe-{probe_name}-{number:06}"
                bodies[-1] = probe(probes[number]).body
            body = b'{"batch":[' + b",".join(bodies) + b'],"sentAt":"%b"}' % datetime.now(UTC).isoformat().encode()
            output.write(len(body).to_bytes(4, "big") + body)
    return file, probes


def _batches(rows: Iterable[T]) -> Iterator[list[T]]:
    left = iter(rows)
    while batch := list(islice(left, PER_BATCH)):
        yield batch


def _stored(url: str) -> tuple[int, int]:
    """How many messages the inbox holds, and how many of them failed."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM inbox), (SELECT count(*) FROM failed_message)"
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def _durability(url: str) -> dict[str, str]:
    with psycopg.connect(url, autocommit=True) as connection:
        return dict(
            connection.execute(
                "SELECT name, current_setting(name) FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit',"
                " 'full_page_writes', 'server_version', 'shared_buffers', 'huge_pages_status')"
            ).fetchall()
        )


def _percentile(ordered: list[float], percent: int) -> float:
    ordered = sorted(ordered)
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)], 2)


def _show(result: Figures) -> None:
    table = Table(title=f"Tracking API, {os.cpu_count()} cores, Python {platform.python_version()}")
    for column in ("what", "figure", "hold"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, figure in result.items():
        if name in HOLDS:
            sign, bound = HOLDS[name]
            table.add_row(name.replace("_", " "), f"{figure:,}", f"{sign} {bound:,}")
        elif isinstance(figure, int | float):
            table.add_row(name.replace("_", " "), f"{figure:,}", "")
        else:
            table.add_row(name.replace("_", " "), ", ".join(f"{key} {value}" for key, value in figure.items()), "")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
