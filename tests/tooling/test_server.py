"""A process that is told to stop finishes what it began, closes what it opened and leaves with status 0."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from uvicorn.config import STARTUP_FAILURE

PROGRAM = """
import sys
from cdp.server import serve, server_config
from cdp.settings import load_settings
settings = load_settings()
port, workers = map(int, sys.argv[1:])
application = "tests.tooling.slow_app:app" if workers else "tests.tooling.broken_app:app"
serve(server_config(application, settings, host="127.0.0.1", port=port, workers=workers or 1), settings)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    process: subprocess.Popen[str]
    url: str

    def wait_until_it_began(self) -> None:
        """Read the log up to the second request's beginning; the first told the test that the server is up."""
        began = 0
        while began < 2:
            began += self._next_event() == "began"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, list[dict[str, Any]]]:
        """Exit status and the log records that were not read yet."""
        assert self.process.stderr is not None
        self.process.send_signal(number)
        log = self.process.stderr.read()
        return self.process.wait(timeout=30), [json.loads(line) for line in log.splitlines()]

    def _next_event(self) -> str:
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line, "the server ended"
        return str(json.loads(line)["event"])


@contextmanager
def running(*, workers: int = 1, **environment: str) -> Iterator[Running]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(port), str(workers)],
        env={**os.environ, "CDP_LOG_FORMAT": "json", **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/slow/0")
        yield Running(process=process, url=url)
    finally:
        process.kill()
        process.wait()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx2.get(url).raise_for_status()
        except httpx2.TransportError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_is_answered(number: signal.Signals) -> None:
    with running() as server, ThreadPoolExecutor() as pool:
        asked = pool.submit(httpx2.get, f"{server.url}/slow/1")
        server.wait_until_it_began()
        status, log = server.stop(number)
        assert asked.result().text == "done"
        assert status == 0
        events = [record["event"] for record in log]
        assert [event for event in events if event in {"answered", "closed properly"}] == [
            "answered",
            "closed properly",
        ]


def test_a_request_that_takes_too_long_is_left() -> None:
    with running(CDP_SHUTDOWN_SECONDS="1") as server, ThreadPoolExecutor() as pool:
        asked = pool.submit(httpx2.get, f"{server.url}/slow/20")
        server.wait_until_it_began()
        began = time.monotonic()
        status, _ = server.stop()
        assert time.monotonic() - began < 5
        assert asked.exception() is not None or asked.result().status_code == 500
        assert status == 0


def test_several_processes_log_the_same_way_and_stop() -> None:
    with running(workers=2) as server:
        assert httpx2.get(f"{server.url}/slow/0?secret=canary").text == "done"
        status, log = server.stop()
        assert status == 0
        answered = [record for record in log if record["event"] == "answered"]
        assert {record["route"] for record in answered} == {"/slow/{seconds}"}
        assert "canary" not in json.dumps(log)


def test_metrics_of_one_process_tell_of_all() -> None:
    with running(workers=2) as server:
        for _ in range(20):
            httpx2.get(f"{server.url}/slow/0")  # each over a new connection, so that both processes answer some
        counted = 'cdp_requests_total{method="GET",route="/slow/{seconds}",status="200"} 21.0'
        for _ in range(4):
            assert counted in httpx2.get(f"{server.url}/metrics").text
        server.stop()


def test_an_application_that_fails_to_start_is_a_failure_told_without_what_it_quotes() -> None:
    failed = subprocess.run(
        [sys.executable, "-c", PROGRAM, "0", "0"],
        env={**os.environ, "CDP_LOG_FORMAT": "json"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == STARTUP_FAILURE
    (told,) = [record for record in map(json.loads, failed.stderr.splitlines()) if record["event"] == "failed"]
    assert told["exception"].splitlines()[-2:] == ["  tooling.broken_app:11 in lifespan", "ValueError"]
    assert "Apellido" not in failed.stderr


def test_a_port_that_is_taken_is_a_failure() -> None:
    with running() as server:
        second = subprocess.run(
            [sys.executable, "-c", PROGRAM, server.url.rsplit(":", 1)[1], "1"], capture_output=True, check=False
        )
        assert second.returncode == STARTUP_FAILURE
        server.stop()


NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
WORKER = """
import sys, time, types
from cdp.logs import configure
from cdp.server import work
from cdp.settings import load_settings

def obedient(settings, stop, *, alone):
    print("at work", flush=True)
    stop.wait()

def failing(settings, stop, *, alone):
    print("at work", flush=True)
    raise ValueError("Canary-Nombre Apellido")

def deaf(settings, stop, *, alone):
    print("at work", flush=True)
    time.sleep(60)

def bored(settings, stop, *, alone):
    print("at work", flush=True)

module = types.ModuleType("cdp.worker")
module.run_all = globals()[sys.argv[1]]
sys.modules["cdp.worker"] = module
settings = load_settings()
configure(settings)
work(settings)
"""


@pytest.mark.parametrize(
    ("kind", "status", "events"),
    [
        ("obedient", 0, []),
        ("failing", 1, ["the worker failed"]),
        ("deaf", 1, ["the worker did not stop in time"]),
        ("bored", 1, ["the worker ended unasked"]),
    ],
)
def test_a_worker_stops_when_told_and_its_end_is_told(kind: str, status: int, events: list[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, kind],
        env={**os.environ, "CDP_LOG_FORMAT": "json", "CDP_SHUTDOWN_SECONDS": "1", "CDP_DATABASE_URL": NOWHERE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        if kind in {"obedient", "deaf"}:
            process.terminate()
        _, log = process.communicate(timeout=30)
    assert process.returncode == status
    assert [json.loads(line)["event"] for line in log.splitlines()] == events
    assert "Apellido" not in log
