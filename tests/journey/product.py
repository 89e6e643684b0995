"""The product as it runs: `cdp serve` with its worker and `cdp extranet` as processes, and the commands beside them."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

START_SECONDS = 60
STITCH_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Where it is, and how its operator's commands are run."""

    api: str
    extranet: str
    environment: dict[str, str]

    def cdp(self, *arguments: str) -> Any:
        """What a command tells with `--json`."""
        done = subprocess.run(
            [*COMMAND, *arguments, "--json"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrator:
    """Programs with an OAuth client: they import, and ask GraphQL."""

    product: Product
    client_id: str
    client_secret: str

    def deliver(self, kind: str, records: Sequence[dict[str, Any]], *, source: str = "erp") -> None:
        """Import records; none may be rejected."""
        body = "".join(json.dumps(record) + "\n" for record in records)
        with self._http() as http:
            answer = http.post(
                f"/v1/import/{kind}",
                params={"source": source},
                content=body,
                headers={"content-type": "application/x-ndjson"},
            )
        assert (answer.status_code, answer.json()["rejected"]) == (200, []), answer.text

    def ask(self, query: str, **variables: object) -> Any:
        """Data of a GraphQL query; no errors allowed."""
        with self._http() as http:
            answer = http.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def recognise(self, namespace: str, value: str) -> dict[str, Any]:
        """Who is behind an identifier, as soon as the worker has heard of them."""
        query = """query ($namespace: String!, $value: String!) {
          recognise(identifiers: [{namespace: $namespace, value: $value}]) {
            id kind name email organisations { nodes { organisation { name } } }
            profiles(first: 20) { nodes { externalId source { name } } } interactions { totalCount } } }"""
        found: dict[str, Any] = wait_for(lambda: self.ask(query, namespace=namespace, value=value)["recognise"])
        return found

    @contextmanager
    def _http(self) -> Iterator[httpx2.Client]:
        with httpx2.Client(base_url=self.product.api, trust_env=False, timeout=30) as http:
            token = http.post(
                "/idp/token", data={"grant_type": "client_credentials"}, auth=(self.client_id, self.client_secret)
            ).json()["access_token"]
            http.headers["authorization"] = f"Bearer {token}"
            yield http


@contextmanager
def running(database_url: str, folder: Path) -> Iterator[Product]:
    """Both servers until the block ends; they must leave with status 0."""
    api_port, extranet_port = free_port(), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDP_")} | {
        "CDP_PUBLIC_URL": f"http://localhost:{api_port}",
        "CDP_EXTRANET_URL": f"http://localhost:{extranet_port}",
        "CDP_DATA_DIR": str(folder),
        "CDP_SECRET_KEY": "journey-" * 8,
        "CDP_SHUTDOWN_SECONDS": "5",
    }
    inside = environment | {"CDP_DATABASE_URL": database_url}
    outside = environment | {"CDP_PORTAL_DATABASE_URL": database_url.replace("//postgres@", "//cdp_portal@")}
    processes = [
        subprocess.Popen([*COMMAND, "serve", "--worker", "--port", str(api_port)], env=inside),
        subprocess.Popen([*COMMAND, "extranet", "--port", str(extranet_port)], env=outside),
    ]
    product = Product(api=environment["CDP_PUBLIC_URL"], extranet=environment["CDP_EXTRANET_URL"], environment=inside)
    try:
        for url in (product.api, product.extranet):
            wait_for(lambda url=url: all(one.poll() is None for one in processes) and _is_ready(url), START_SECONDS)
        yield product
    finally:
        for process in processes:
            process.terminate()
        statuses = [process.wait(30) for process in processes]
    assert statuses == [0, 0]


def wait_for(ask: Any, seconds: float = STITCH_SECONDS) -> Any:
    """The first answer that is something. Fails after a while."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return answer


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False


COMMAND = (sys.executable, "-c", "from cdp.cli import main; main()")
