"""API and worker as the processes of production, `cdp serve --no-worker` and `cdp work`, on one database; and what they weigh."""

import json
import os
import signal
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

import psycopg

_START_SECONDS: Final = 60
_LATE_SECONDS: Final = 3_600
_UVICORN: Final = (
    "import sys; from cdp.server import server_config, serve; from cdp.settings import load_settings; s = load_settings(); "
    "serve(server_config(sys.argv[1], s, host='127.0.0.1', port=int(sys.argv[2])), s)"
)
_CDP: Final = (sys.executable, "-c", "from cdp.cli import main; main()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running pair: where it listens, what it works on, and as whom one asks."""

    url: str
    port: int
    write_key: str
    client: tuple[str, str]
    api: "subprocess.Popen[bytes]"
    worker: "subprocess.Popen[bytes]"
    postmaster: int

    @contextmanager
    def worker_paused(self) -> Iterator[None]:
        """The worker stands still meanwhile."""
        processes = _family(self.worker.pid)
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGCONT)

    def drain(self) -> float:
        """Wait until nothing waits to be stitched; seconds."""
        began = time.perf_counter()
        with psycopg.connect(self.url, autocommit=True) as connection:
            while connection.execute("SELECT FROM waiting_message ORDER BY seq DESC LIMIT 1").fetchone() is not None:
                time.sleep(0.01)
        return time.perf_counter() - began

    def send(
        self,
        file: Path,
        *,
        connections: int,
        per_second: float | None = None,
        probes: dict[int, str] | None = None,
    ) -> dict[str, Any]:
        """One run of the load generator; its figures."""
        asked = {
            "port": self.port,
            "write_key": self.write_key,
            "file": str(file),
            "connections": connections,
            "per_second": per_second,
            "probes": probes,
            "graphql": {"token": self.token()} if probes else None,
        }
        ran = subprocess.run(
            [sys.executable, "-m", "bench.ingest.sender"],
            input=json.dumps(asked).encode(),
            stdout=subprocess.PIPE,
            check=True,
            timeout=_LATE_SECONDS,
        )
        told: dict[str, Any] = json.loads(ran.stdout)
        return told

    def token(self) -> str:
        """A fresh access token."""
        basic = b64encode(":".join(self.client).encode()).decode()
        headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/idp/token", b"grant_type=client_credentials", headers
        )
        with _direct().open(asked, timeout=60) as answer:
            return str(json.loads(answer.read())["access_token"])

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of API and worker, in MiB."""
        asked = ["ps", "-o", "rss=", "-p"]
        sizes: dict[str, float] = {}
        for name, process in (("api", self.api), ("worker", self.worker)):
            pids = ",".join(map(str, _family(process.pid)))
            listed = subprocess.check_output([*asked, pids])  # noqa: S603 - ours
            sizes[name] = sum(map(int, listed.split())) / 1024
        return sizes

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time so far of API, worker and all of PostgreSQL's processes, in seconds; none where there is no /proc."""
        if not Path("/proc/self/stat").exists():
            return {}
        backends = sum(_cpu_seconds(pid)[0] for pid in _family(self.postmaster)[1:])
        return {
            "api": _cpu_seconds(self.api.pid)[0],
            "worker": sum(_cpu_seconds(pid)[0] for pid in _family(self.worker.pid)),
            "database": backends + sum(_cpu_seconds(self.postmaster)),
        }


def _family(pid: int) -> list[int]:
    """A process and those it started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE, check=False)  # noqa: S603, S607 - ours
    return [pid, *map(int, listed.stdout.split())]


@contextmanager
def running(
    url: str, folder: Path, name: str, *, write_key: str, client: tuple[str, str], postmaster: int
) -> Iterator[Running]:
    """Both processes, until the block ends; their output goes to `folder`."""
    port = _free_port()
    environment = {
        **os.environ,
        "CDP_DATABASE_URL": url,
        "CDP_DATA_DIR": str(folder),
        "CDP_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "CDP_LOG_FORMAT": "json",  # a line for each request, as in production
    }
    with ExitStack() as stack:
        output = stack.enter_context((folder / f"{name}.log").open("ab"))
        api, worker = (
            stack.enter_context(_process([*_CDP, *arguments], environment, output))
            for arguments in (["serve", "--no-worker", "--port", str(port)], ["work"])
        )
        _wait_for(port, api, folder / f"{name}.log")
        yield Running(
            url=url, port=port, write_key=write_key, client=client, api=api, worker=worker, postmaster=postmaster
        )


def _cpu_seconds(pid: int) -> tuple[float, float]:
    """Of a process, and of those of its children that have ended; nothing of one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0, 0.0
    own, others = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    ticks = os.sysconf("SC_CLK_TCK")
    return own / ticks, others / ticks


@contextmanager
def selecting(url: str, folder: Path) -> Iterator[int]:
    """The bare SELECT's server, run as `cdp serve` runs the API; its port."""
    port = _free_port()
    environment = {**os.environ, "CDP_DATABASE_URL": url, "CDP_DATA_DIR": str(folder)}
    log = folder / "select.log"
    with (
        log.open("ab") as output,
        _process(
            [sys.executable, "-c", _UVICORN, "bench.ingest.select_server:app", str(port)], environment, output
        ) as run,
    ):
        _wait_for(port, run, log)
        yield port


def ask(port: int, token: str, paths: list[str], *, connections: int, seconds: float) -> list[float]:
    """How long each answer took, in milliseconds, sorted."""
    asked = {"port": port, "token": token, "paths": paths, "connections": connections, "seconds": seconds}
    ran = subprocess.run(
        [sys.executable, "-m", "bench.ingest.asker"],
        input=json.dumps(asked).encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=seconds + _LATE_SECONDS,
    )
    latencies: list[float] = json.loads(ran.stdout)["latencies_ms"]
    return latencies


@contextmanager
def _process(command: list[str], environment: dict[str, str], output: Any) -> Iterator["subprocess.Popen[bytes]"]:
    started = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # noqa: S603 - our own programs
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(timeout=30)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _wait_for(port: int, started: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            _direct().open(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
        except OSError:
            if time.monotonic() > deadline or started.poll() is not None:
                raise RuntimeError(log.read_text(errors="replace")[-2000:]) from None
            time.sleep(0.1)
        else:
            return


def _direct() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
