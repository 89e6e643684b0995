"""`cdp demo` as a process, seen from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

START_SECONDS = 120
STOP_SECONDS = 40
CUSTOMERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A demo that is ready: what its demo.json says, and how long it took."""

    process: subprocess.Popen[str]
    told: dict[str, Any]
    seconds: float

    def ask(self, query: str, **variables: object) -> Any:
        """Data of a GraphQL query as the tool client; no errors allowed."""
        tool = next(one for one in self.told["clients"] if "graph:read" in one["scopes"])
        with httpx2.Client(trust_env=False, timeout=30) as http:
            token = http.post(
                f"{self.told['issuer']}/token",
                data={"grant_type": "client_credentials"},
                auth=(tool["client_id"], tool["client_secret"]),
            ).json()["access_token"]
            answer = http.post(
                self.told["graphql"],
                json={"query": query, "variables": variables},
                headers={"authorization": f"Bearer {token}"},
            ).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def member(self, role: str) -> dict[str, Any]:
        """A member who has this role in one account only."""
        return next(one for one in self.told["members"] if [account["role"] for account in one["accounts"]] == [role])

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Exit status after a signal."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`cdp demo` on free ports in a data directory; later arguments win."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDP_")}
    ports = ("--api-port", "0", "--extranet-port", "0", "--customers", str(CUSTOMERS))
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from cdp.cli import main; main()",
            "demo",
            "--data-dir",
            str(folder),
            *ports,
            *arguments,
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def ready(folder: Path, *arguments: str) -> Iterator[Demo]:
    """A demo from the moment its demo.json is there until the block ends."""
    path = folder / "demo.json"
    path.unlink(missing_ok=True)  # the last start's
    began = time.monotonic()
    process = start(folder, *arguments)
    try:
        while not path.exists():
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() - began < START_SECONDS, "the demo is not ready"
            time.sleep(0.05)
        yield Demo(process=process, told=json.loads(path.read_text()), seconds=time.monotonic() - began)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(STOP_SECONDS)
