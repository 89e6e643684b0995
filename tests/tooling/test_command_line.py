"""The command line answers with one line and an exit status, never with a stack trace."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from typer.testing import CliRunner

from cdp.cli import app
from cdp.db.migrate import head


def cdp(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDP_")}
    return subprocess.run(
        [Path(sys.executable).with_name("cdp"), *arguments],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_version() -> None:
    assert cdp("--version").stdout == f"{version('customer-graph')}\n"


def test_help_names_every_command_and_loads_no_server() -> None:
    program = (
        "import sys; from cdp.cli import app\n"
        "assert not {'uvicorn', 'strawberry', 'sqlalchemy', 'starlette'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    told = CliRunner().invoke(app, ["--help"]).stdout
    assert [
        name for name in ("serve", "extranet", "work", "migrate", "schema", "doctor", "probe") if name not in told
    ] == []


def test_a_wrong_setting_is_one_line_and_status_2() -> None:
    result = cdp("migrate", CDP_ENV="prod")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "cdp: CDP_ENV: input should be 'development' or 'production'\n"


def test_a_database_that_does_not_answer_is_one_line_and_status_1() -> None:
    result = cdp("migrate", CDP_DATABASE_URL="postgresql://nobody:hunter2@127.0.0.1:1/nothing")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("cdp: the database does not answer: ")
    assert "hunter2" not in result.stderr


def test_the_extranet_does_not_start_with_the_application_s_login() -> None:
    result = cdp("extranet", CDP_DATABASE_URL="postgresql://cdp_app@127.0.0.1:1/nothing")
    assert result.returncode == 2
    assert result.stderr == (
        "cdp: CDP_PORTAL_DATABASE_URL: is required here, because the other role's address is set.\n"
    )


def test_the_worker_inside_wants_one_process() -> None:
    result = cdp("serve", "--workers", "2", "--worker")
    assert result.returncode == 2
    assert result.stderr == "cdp: --worker: needs --workers 1; run `cdp work` beside several processes.\n"


def test_migrate_brings_a_database_to_head_and_twice_is_once(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    for _ in range(2):
        result = cdp("migrate", CDP_DATABASE_URL=database_url)
        assert (result.returncode, result.stdout) == (0, f"The database is at revision {head()}.\n"), result.stderr


def test_the_embedded_database_is_migrated_for_whoever_comes_first(data_dir: Path) -> None:
    made = cdp("source", "create", "web-shop", "--json", CDP_DATA_DIR=str(data_dir))
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["name"] == "web-shop"
    assert not (data_dir / "postgres" / "postmaster.pid").exists(), "the server stops with the command that started it"


def test_the_doctor_leaves_the_embedded_database_as_found(data_dir: Path) -> None:
    result = cdp("doctor", "--json", CDP_DATA_DIR=str(data_dir))
    assert result.returncode == 1
    failed = {
        (finding["check"], finding["told"]) for finding in json.loads(result.stdout) if finding["state"] == "fail"
    }
    assert ("migrations", "never run") in failed
    assert ("roles", "cdp_portal is missing") in failed


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.headers["Host"] == "api.example"
        self.send_response(200 if known and self.path == "/healthz" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield str(server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


def test_probe_asks_by_the_public_name(port: str) -> None:
    assert cdp("probe", "--port", port, CDP_PUBLIC_URL="https://api.example").returncode == 0
    assert cdp("probe", "--port", port, CDP_PUBLIC_URL="https://other.example").stderr == "status 503\n"
    assert cdp("probe", "--ready", "--port", port, CDP_PUBLIC_URL="https://api.example").returncode == 1


def test_probe_says_when_nobody_answers() -> None:
    result = cdp("probe", "--port", "1")
    assert (result.returncode, result.stderr) == (1, "no answer: [Errno 111] Connection refused\n")
