"""The contenders as processes on free loopback ports, started and ended by their id.

All Python servers run Uvicorn with the settings of `cdp serve`, one process each; PostGraphile runs one Node process. PostgreSQL
and the load generator share the machine with whichever is asked, the others idle.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.tooling.provision import CACHE, NODE, NPM

PEER: Final = Path(__file__).parent / "postgraphile"
_START_SECONDS: Final = 60
_UVICORN: Final = (
    "import sys; from cdp.server import server_config, QuietServer; from cdp.settings import load_settings; "
    "QuietServer(server_config(sys.argv[1], load_settings(), host='127.0.0.1', port=int(sys.argv[2]))).run()"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A running server: its port, and the credentials of a client where it asks for a token."""

    name: str
    port: int
    client: tuple[str, str] | None = None

    def headers_now(self) -> dict[str, str]:
        """Headers of a request; with a fresh access token where one is needed."""
        if self.client is None:
            return {}
        answer = _post(
            f"http://127.0.0.1:{self.port}/idp/token",
            b"grant_type=client_credentials",
            {
                "authorization": "Basic " + b64encode(":".join(self.client).encode()).decode(),
                "content-type": "application/x-www-form-urlencoded",
            },
        )
        return {"authorization": f"Bearer {json.loads(answer)['access_token']}"}

    def ask(self, path: str, body: bytes) -> Any:
        """The decoded answer to one request."""
        sent = {**self.headers_now(), "content-type": "application/json"}
        return json.loads(_post(f"http://127.0.0.1:{self.port}{path}", body, sent))


@contextmanager
def contenders(url: str, folder: Path, client: tuple[str, str]) -> Iterator[dict[str, Contender]]:
    """All four, running on the database at `url`."""
    with ExitStack() as stack:
        ours = stack.enter_context(_ours(url, folder, client))
        sql = stack.enter_context(_python("sql", "bench.graphql.sql_server:app", url, folder))
        peer = stack.enter_context(_postgraphile(url))
        resolvers = stack.enter_context(_python("strawberry", "bench.graphql.resolver_server:app", url, folder))
        yield {each.name: each for each in (ours, sql, peer, resolvers)}


@contextmanager
def ours_alone(url: str, folder: Path, client: tuple[str, str]) -> Iterator[Contender]:
    """Ours, for what is measured without the others."""
    with _ours(url, folder, client) as running:
        yield running


@contextmanager
def _ours(url: str, folder: Path, client: tuple[str, str]) -> Iterator[Contender]:
    with _python("ours", "cdp.app:app", url, folder) as running:
        yield Contender(name="ours", port=running.port, client=client)


@contextmanager
def _python(name: str, application: str, url: str, folder: Path) -> Iterator[Contender]:
    port = _free_port()
    environment = {
        **os.environ,
        "BENCH_DATABASE_URL": url,
        "CDP_DATABASE_URL": url,
        "CDP_DATA_DIR": str(folder),
        "CDP_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "CDP_LOG_FORMAT": "json",  # a line for each request, as in production
    }
    log = folder / f"{name}.log"
    with (
        log.open("wb") as output,
        _process(
            [sys.executable, "-c", _UVICORN, application, str(port)], environment, stdout=output, stderr=output
        ) as running,
    ):
        _wait_for(port, running, log)
        yield Contender(name=name, port=port)


@contextmanager
def _postgraphile(url: str) -> Iterator[Contender]:
    environment = {**os.environ, "BENCH_DATABASE_URL": url, "NODE_ENV": "production", "GRAPHILE_ENV": "production"}
    command = [str(NODE), str(node_packages() / "server.mjs")]
    with _process(command, environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        assert running.stdout is not None
        yield Contender(name="postgraphile", port=int(running.stdout.readline()))


def node_packages() -> Path:
    """The folder with PostGraphile installed as its lock file says, and our preset beside it."""
    folder = CACHE / "bench-node"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256((PEER / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / ".installed"
    for file in PEER.iterdir():
        shutil.copyfile(file, folder / file.name)
    if not stamp.exists() or stamp.read_text(encoding="ascii") != wanted:
        environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        subprocess.run(  # noqa: S603 - our own programs
            [str(NODE), str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=folder,
            env=environment,
            check=True,
        )
        stamp.write_text(wanted, encoding="ascii")
    return folder


@contextmanager
def _process(command: list[str], environment: dict[str, str], **streams: Any) -> Iterator["subprocess.Popen[bytes]"]:
    running = subprocess.Popen(command, env=environment, **streams)  # noqa: S603 - our own programs
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(timeout=15)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _wait_for(port: int, running: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline or running.poll() is not None:
                raise RuntimeError(log.read_text(errors="replace")[-2000:]) from None
            time.sleep(0.1)
        else:
            return


def _post(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(urllib.request.Request(url, body, headers), timeout=60) as answer:  # noqa: S310 - loopback
        read: bytes = answer.read()
    return read


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
