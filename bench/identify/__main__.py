"""Merging two large customers while others read, and resolving a large graph of claims anew.

`merge`: two customers with 100,000 facts each become one and are parted again, round by round; a reader in a process of its own
asks for them and for others meanwhile, and before that while nothing happens. `rebuild`: what
`cdp identify rebuild --check` does, beside reading the same edges (by COPY, a row each; and as the rebuild reads them) and
SciPy's connected components, in turn.
Figures are medians of the rounds.
Last line: {"merge_seconds", "read_p99_ms", "idle_read_p99_ms", "longest_read_ms", "rebuild_to_components", …}.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from psycopg import Connection
from rich.console import Console
from rich.table import Table
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bench.identify import data
from cdp.db import embedded
from cdp.db.engine import connect
from cdp.identify import rebuilding
from cdp.identify.claims import Author
from cdp.identify.merging import Merged, merge
from cdp.identify.unmerging import Unmerged, unmerge

AUTHOR: Final = Author(actor="bench")
OTHERS: Final = 10_000  # customers beside the two that are merged
SERVER: Final = {"max_wal_size": "8GB", "shared_buffers": "512MB"}
EDGES: Final = """
    COPY (SELECT hashtextextended(namespace || ':' || value, 0), uuid_hash_extended(claim_id, 0) FROM claim_identifier)
    TO STDOUT (FORMAT binary)"""
ROW: Final = np.dtype([("", ">i2"), ("", ">i4"), ("node", ">i8"), ("", ">i4"), ("claim", ">i8")])
Figures = dict[str, list[float]]


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--edges", type=int, default=5_000_000, help="of claims, to rebuild from")
    arguments.add_argument("--facts", type=int, default=100_000, help="of each customer that is merged")
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    figures: Figures = defaultdict(list)
    with (
        tempfile.TemporaryDirectory(prefix="cdp-bench-", ignore_cleanup_errors=True) as folder,
        embedded.start(Path(folder), settings=SERVER) as server,
    ):
        began = time.perf_counter()
        url = data.make(server, "merging", customers=OTHERS, facts=given.facts)
        large = data.make(server, "rebuilding", customers=max(200, given.edges // data.EDGES_OF_A_CUSTOMER))
        print(f"made in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        with connect(url, None, autocommit=True) as connection:
            for number in range(given.rounds):
                merging(connection, url, figures)
                print(f"merge: round {number + 1} of {given.rounds}", file=sys.stderr)
        with connect(large, None, autocommit=True) as connection:
            found = rebuilding.check(connection)
            if found.differences:
                sys.exit(f"the data are not what their claims say: {found.counts}")
            for number in range(given.rounds):
                turns = [("components", plain), ("rebuild", checked), ("same_reading", as_ours)]
                for name, act in turns[number % 3 :] + turns[: number % 3]:
                    figures[name].append(timed(act, connection))
                print(f"rebuild: round {number + 1} of {given.rounds}", file=sys.stderr)
            (edges,) = connection.execute("SELECT count(*) FROM claim_identifier").fetchone() or (0,)
    result = {
        "merge_seconds": median(figures["merge"]),
        "unmerge_seconds": median(figures["unmerge"]),
        "read_p99_ms": median(figures["read_p99"]),
        "idle_read_p99_ms": median(figures["idle_p99"]),
        "longest_read_ms": max(round(each, 1) for each in figures["longest"]),
        "rebuild_to_components": round(median(figures["rebuild"]) / median(figures["components"]), 2),
        "rebuild_to_components_read_alike": round(median(figures["rebuild"]) / median(figures["same_reading"]), 2),
        "rebuild_seconds": median(figures["rebuild"]),
        "components_seconds": median(figures["components"]),
        "facts": given.facts,
        "edges": edges,
        "resolved_one_by_one": found.resolved,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    show(result)
    print(json.dumps(result))


def merging(connection: Connection[Any], url: str, figures: Figures) -> None:
    """One round: read while nothing happens, while the two become one, and part them again."""
    ids = data.first_two(connection)
    quiet, _ = beside(url, lambda: time.sleep(2))

    def act() -> Merged:
        with connection.transaction():
            made = merge(connection, ids, author=AUTHOR)
        assert isinstance(made, Merged), made
        return made

    busy, made = beside(url, act)
    figures["merge"].append(made[1])
    began = time.perf_counter()
    with connection.transaction():
        parted = unmerge(connection, made[0].merge_id, author=AUTHOR)
    assert isinstance(parted, Unmerged), parted
    figures["unmerge"].append(time.perf_counter() - began)
    figures["read_p99"].append(p99(busy))
    figures["idle_p99"].append(p99(quiet))
    figures["longest"].append(max(busy))
    connection.execute("VACUUM (ANALYZE)")  # as autovacuum would in between


def beside(url: str, act: Callable[[], Any]) -> tuple[list[float], Any]:
    """Latencies of the reader while something is done, in milliseconds; what came of that, and its seconds."""
    reader = subprocess.Popen(  # noqa: S603 — ourselves
        [sys.executable, "-m", "bench.identify.reading", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdin is not None
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    began = time.perf_counter()
    made = act()
    took = time.perf_counter() - began
    told, _ = reader.communicate("stop\n")
    return json.loads(told)["latencies_ms"], (made, took)


def plain(connection: Connection[Any]) -> None:
    """Read the edges as COPY gives them, a row each, and find their connected components."""
    with connection.cursor() as cursor, cursor.copy(EDGES) as copy:
        told = b"".join(copy)
    rows = np.frombuffer(told, dtype=ROW, offset=19, count=(len(told) - 19) // ROW.itemsize)
    components_of(rows["node"].astype(np.int64), rows["claim"].astype(np.int64))


def as_ours(connection: Connection[Any]) -> None:
    """Read the edges as the rebuild does, and find their connected components."""
    nodes, claims, _ = rebuilding.read(connection, "edges")
    components_of(nodes, claims)


def components_of(nodes: Any, claims: Any) -> None:
    """Connected components of the bipartite graph of nodes and claims."""
    known, node_of = np.unique(nodes, return_inverse=True)
    told, claim_of = np.unique(claims, return_inverse=True)
    size = len(known) + len(told)
    edges = coo_array((np.ones(len(nodes), dtype=np.int8), (node_of, claim_of + len(known))), shape=(size, size))
    connected_components(edges, directed=False)


def checked(connection: Connection[Any]) -> None:
    """Resolve all anew and compare."""
    assert not rebuilding.check(connection).differences


def timed(act: Callable[[Connection[Any]], None], connection: Connection[Any]) -> float:
    """Seconds of one run."""
    began = time.perf_counter()
    act(connection)
    return time.perf_counter() - began


def p99(latencies: list[float]) -> float:
    """The slowest hundredth."""
    return sorted(latencies)[len(latencies) * 99 // 100]


def median(found: list[float]) -> float:
    """Rounded for reading."""
    return round(statistics.median(found), 3)


def show(result: dict[str, Any]) -> None:
    """The table for people."""
    table = Table(title=f"{os.cpu_count()} cores, Python {platform.python_version()}")
    for column in ("figure", "measured", "wanted"):
        table.add_column(column, justify="right" if column == "measured" else "left")
    wanted = {
        "merge_seconds": "at most 10, with 100,000 facts each",
        "read_p99_ms": "as while nothing happens, but for the processor",
        "rebuild_to_components": "at most 5, at 5,000,000 edges",
    }
    for name, value in result.items():
        table.add_row(name.replace("_", " "), f"{value:,}", wanted.get(name, ""))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
