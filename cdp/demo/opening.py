"""`cdp demo` from beginning to end: the data directory, PostgreSQL, the servers, the load, and waiting for Ctrl-C."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console

from cdp.db import embedded
from cdp.db.migrate import migrate
from cdp.demo.business import Business
from cdp.demo.catalogue import TIME_ZONE
from cdp.demo.doors import Doors
from cdp.demo.keeping import Figures, Keeper, Memory, keep
from cdp.demo.loading import INTEGRATOR, follow_issuer, load, register
from cdp.demo.servers import Addresses, Child, check, find_ports, is_free, running, wait_until_ready
from cdp.demo.telling import contract, show

LOOK_SECONDS: Final = 0.5


def run(data_dir: Path, *, api_port: int, extranet_port: int, customers: int, as_json: bool, console: Console) -> None:
    """Serve the demo until SIGINT or SIGTERM, then stop everything. Raises DemoError."""
    began = time.monotonic()
    with _told_to_stop(), ExitStack() as stack:
        try:
            keeper = stack.enter_context(keep(data_dir.expanduser().resolve()))
            memory = keeper.recall() or Memory(customers=customers, now=_now())
            addresses = _addresses(memory, api_port, extranet_port, is_rest=keeper.left_postgres_running)
            with console.status("Starting PostgreSQL, the API, the extranet and the worker"):
                server = stack.enter_context(_postgres(keeper))
                follow_issuer(keeper, memory, addresses.issuer, server.url())
                children = stack.enter_context(
                    running(
                        keeper,
                        addresses,
                        database_url=server.url(),
                        portal_database_url=server.url(user="cdp_portal"),
                    )
                )
                register(keeper, memory, server.url())
                wait_until_ready(children, addresses)
            figures = memory.figures or _load(
                keeper, memory, addresses, children, database_url=server.url(), console=console
            )
            told = contract(memory, addresses, server.url())
            keeper.tell(told)
            if as_json:
                print(json.dumps(told), flush=True)  # noqa: T201 - what a program reads
            else:
                show(console, keeper, memory, figures, addresses, seconds=time.monotonic() - began)
            _watch(children)
        except KeyboardInterrupt:
            console.print("\nStopping …")


def _load(
    keeper: Keeper,
    memory: Memory,
    addresses: Addresses,
    children: list[Child],
    *,
    database_url: str,
    console: Console,
) -> Figures:
    business = Business(seed=memory.seed, customers=memory.customers, now=memory.now)
    integrator = memory.clients[INTEGRATOR]
    with Doors(addresses.api, memory.write_keys, integrator, check=lambda: check(children)) as doors:
        return load(keeper, memory, business, doors, database_url=database_url, console=console)


def _watch(children: list[Child]) -> None:
    """Until interrupted. Raises ServerEnded when one of them ends unasked."""
    while True:
        check(children)
        time.sleep(LOOK_SECONDS)


@contextmanager
def _postgres(keeper: Keeper) -> Iterator[embedded.EmbeddedServer]:
    """The embedded server, migrated; stopped at the end when this demo, or a killed one before it, started it."""
    server = embedded.start(keeper.data_dir)
    is_ours = server.started_here or keeper.left_postgres_running
    keeper.note_postgres(is_running=is_ours)
    try:
        migrate(server.url())
        yield server
    finally:
        if is_ours:
            server.stop()
            keeper.note_postgres(is_running=False)


def _addresses(memory: Memory, api_port: int, extranet_port: int, *, is_rest: bool) -> Addresses:
    """Ports as asked; for 0 those of last time where they are still free, so that addresses last."""
    api_port, extranet_port = (
        asked or (former if former and is_free(former) else 0)
        for asked, former in ((api_port, memory.api_port), (extranet_port, memory.extranet_port))
    )
    addresses = find_ports(api_port, extranet_port, wait=is_rest)
    memory.api_port, memory.extranet_port = addresses.api_port, addresses.extranet_port
    return addresses


def _now() -> datetime:
    return datetime.now(UTC).astimezone(TIME_ZONE).replace(microsecond=0)


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """SIGTERM stops as Ctrl-C does; while we are stopping, neither interrupts again."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
