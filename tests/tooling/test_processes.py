"""The product's own processes start, say that they are ready, and leave nothing behind when they are told to stop."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from cdp.db import embedded


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDP_")}
    process = subprocess.Popen(
        [Path(sys.executable).with_name("cdp"), *arguments],
        env={**clean, "CDP_LOG_FORMAT": "json", **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def answer(url: str, process: subprocess.Popen[str], *, within_seconds: float = 60) -> httpx2.Response:
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            return httpx2.get(url)
        except httpx2.TransportError:
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.1)


def stop(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Tell it to stop; its log when it left in order."""
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    log = process.stderr.read()
    assert process.wait(timeout=30) == 0, log
    return [json.loads(line) for line in log.splitlines()]


def test_serve_on_a_new_machine_is_ready_and_takes_its_database_down_with_it(data_dir: Path) -> None:
    port = free_port()
    with running("serve", "--port", str(port), CDP_DATA_DIR=str(data_dir)) as process:
        ready = answer(f"http://localhost:{port}/readyz", process)
        assert ready.json() == {"status": "ok", "checks": {"database": "ok", "migrations": "ok", "keys": "ok"}}
        assert (data_dir / "postgres" / "postmaster.pid").exists()
        log = stop(process)
    assert not (data_dir / "postgres" / "postmaster.pid").exists()
    assert [record for record in log if record["level"] in {"warning", "error", "critical"}] == []
    assert "/readyz" in {record.get("route") for record in log}


def test_the_extranet_starts_with_the_portal_s_login_alone(server: embedded.EmbeddedServer) -> None:
    port = free_port()
    portal = server.url(user="cdp_portal")
    with running("extranet", "--port", str(port), CDP_PORTAL_DATABASE_URL=portal) as process:
        assert answer(f"http://localhost:{port}/healthz", process).status_code == 200
        log = stop(process)
    assert [record for record in log if record["level"] in {"error", "critical"}] == []


def test_the_worker_stops_when_told(database_url: str) -> None:
    with running("work", CDP_DATABASE_URL=database_url) as process:
        time.sleep(2)  # it has nothing to say when there is nothing to do
        assert process.poll() is None
        assert stop(process) == []
