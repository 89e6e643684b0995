"""The demo's servers: the API, the extranet and the worker as processes over one embedded PostgreSQL.

Each gets what it gets in production and no more: the extranet holds the portal's address of the database only. They run
in sessions of their own, so that Ctrl-C reaches the demo alone and it stops them in order.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from cdp.demo.catalogue import SELLER
from cdp.demo.errors import NotReady, PortTaken, ServerEnded
from cdp.demo.keeping import Keeper
from cdp.settings import PREFIX

READY_SECONDS: Final = 60
STOP_SECONDS: Final = 10
RELEASE_SECONDS: Final = 5
LOG_LINES_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the two applications are."""

    api_port: int
    extranet_port: int

    @property
    def api(self) -> str:
        """The API's address."""
        return f"http://localhost:{self.api_port}"

    @property
    def extranet(self) -> str:
        """The extranet's address."""
        return f"http://localhost:{self.extranet_port}"

    @property
    def issuer(self) -> str:
        """The embedded issuer's address."""
        return f"{self.api}/idp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A running server."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise ServerEnded when it has ended."""
        if self.process.poll() is not None:
            with self.log.open("rb") as file:
                file.seek(max(self.log.stat().st_size - LOG_LINES_BYTES, 0))
                lines = file.read().decode(errors="replace").strip().splitlines()
            raise ServerEnded(name=self.name, log=self.log, last_line=lines[-1] if lines else "(nothing)")


def find_ports(api_port: int, extranet_port: int, *, wait: bool) -> Addresses:
    """Ports to listen on, free ones for 0. `wait`: a killed demo's servers may still be leaving. Raises PortTaken."""
    asked = ((api_port, "--api-port"), (extranet_port, "--extranet-port"))
    deadline = time.monotonic() + (RELEASE_SECONDS if wait else 0)
    for port, option in asked:
        while port and not is_free(port):
            if time.monotonic() >= deadline:
                raise PortTaken(port=port, option=option)
            time.sleep(0.1)
    if api_port and api_port == extranet_port:
        raise PortTaken(port=api_port, option="--extranet-port")
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return Addresses(
            api_port=api_port or one.getsockname()[1], extranet_port=extranet_port or other.getsockname()[1]
        )


@contextmanager
def running(
    keeper: Keeper, addresses: Addresses, *, database_url: str, portal_database_url: str
) -> Iterator[list[Child]]:
    """All three, until the block ends; then those that people see stop first."""
    shared = _shared_environment(keeper.data_dir, addresses)
    inside = shared | {f"{PREFIX}DATABASE_URL": database_url}
    outside = shared | {f"{PREFIX}PORTAL_DATABASE_URL": portal_database_url}
    children: list[Child] = []
    try:
        children.append(_start("extranet", addresses.extranet_port, outside, keeper))
        children.append(_start("api", addresses.api_port, inside, keeper))
        children.append(_start("worker", 0, inside, keeper))
        yield children
    finally:
        for child in children:
            child.process.terminate()
        for child in children:
            _end(child)


def check(children: list[Child]) -> None:
    """Raise ServerEnded when one of them has ended."""
    for child in children:
        child.check()


def wait_until_ready(children: list[Child], addresses: Addresses) -> None:
    """Until API and extranet say they are ready. Raises ServerEnded, NotReady."""
    urls = {"api": addresses.api, "extranet": addresses.extranet}
    deadline = time.monotonic() + READY_SECONDS
    with httpx2.Client(trust_env=False, timeout=5) as http:
        for child in children:
            while child.name in urls and not _answers(http, f"{urls[child.name]}/readyz"):
                check(children)
                if time.monotonic() > deadline:
                    raise NotReady(name=child.name, seconds=READY_SECONDS, log=child.log)
                time.sleep(0.1)


def _shared_environment(data_dir: Path, addresses: Addresses) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) or name in _THEIRS}
    return {
        f"{PREFIX}SHUTDOWN_SECONDS": "5",
        f"{PREFIX}LOG_FORMAT": "json",
        **SELLER,
        **given,
        f"{PREFIX}DATA_DIR": str(data_dir),
        f"{PREFIX}PUBLIC_URL": addresses.api,
        f"{PREFIX}EXTRANET_URL": addresses.extranet,
        f"{PREFIX}DEMO_USERS": "true",
        f"{PREFIX}WEBHOOK_NETWORKS": "127.0.0.0/8 ::1/128",  # receivers are tried out beside it
    }


_THEIRS: Final = frozenset({*SELLER, *(f"{PREFIX}{name}" for name in ("LOG_LEVEL", "LOG_FORMAT", "SHUTDOWN_SECONDS"))})
"""Settings that are the caller's also in the demo; every other one is the demo's to choose."""


def _start(name: str, port: int, environment: Mapping[str, str], keeper: Keeper) -> Child:
    log = keeper.logs / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, with our own module
            [sys.executable, "-m", "cdp.demo.child", name, str(port)],
            stdin=subprocess.PIPE,  # closes when the demo ends, however it ends
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
    return Child(name=name, process=process, log=log)


def _end(child: Child) -> None:
    try:
        child.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.process.kill()
        child.process.wait()
    if child.process.stdin is not None:
        child.process.stdin.close()


def is_free(port: int) -> bool:
    """Whether nobody on this machine listens there."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answers(http: httpx2.Client, url: str) -> bool:
    try:
        return http.get(url).status_code == httpx2.codes.OK
    except httpx2.HTTPError:
        return False
