"""`docs/integrate.md` runs as it stands: each block, from the first to the last, against a served product, with the answer told.

`…` in an answer stands for whatever differs from run to run. Shell lines are run here, not by a shell: `curl` by an HTTP client,
`cdp` by the command line's own code; packages to install must be those that the other tests use.
"""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from typer.testing import CliRunner

from cdp.app import create_app
from cdp.cli import app
from cdp.db.engine import connect
from cdp.settings import Settings
from tests.live import client, serve, wait_until_stitched, working
from tests.tooling.provision import NODE, PACKAGES, node_modules

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs/integrate.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
RUN: Final = {"sh", "python", "js", "ts", "graphql", "csv"}
LOCALHOST: Final = "http://localhost:8000"
SHOP: Final = "https://shop.example"
"""The page's own site; here it is another."""


@dataclass(slots=True, kw_only=True)
class Reader:
    """Somebody who does what the page says: what they have noted so far, and what was answered last."""

    url: str
    database_url: str
    site: str
    http: httpx2.Client
    page: Page
    folder: Path
    noted: dict[str, str] = field(default_factory=dict)
    answer: str = ""
    done: list[str] = field(default_factory=list)

    def settle(self) -> None:
        with connect(self.database_url, autocommit=True) as connection:
            wait_until_stitched(connection)

    def note(self) -> None:
        """Keep what later examples need."""
        for name, found in (
            ("WRITE_KEY", re.search(r"^name: web-shop\nwrite_key: (\S+)", self.answer, re.MULTILINE)),
            ("CLIENT_ID", re.search(r"^client_id: (\S+)", self.answer, re.MULTILINE)),
            ("CLIENT_SECRET", re.search(r"^client_secret: (\S+)", self.answer, re.MULTILINE)),
            ("TOKEN", re.search(r'"access_token": ?"([^"]+)"', self.answer)),
            ("VISITOR_TOKEN", re.search(r'"token": ?"(vt1\.[^"]+)"', self.answer)),
        ):
            if found is not None:
                self.noted[name] = found[1]

    def filled(self, text: str) -> str:
        """An example with this server's address and key."""
        return text.replace(LOCALHOST, self.url).replace("WRITE_KEY", self.noted["WRITE_KEY"])

    def sh(self, text: str) -> None:
        self.answer = ""
        for line in filter(None, re.sub(r"\\\n", " ", text).strip().split("\n" if text.startswith("cdp") else "\0")):
            program, *arguments = shlex.split(os.path.expandvars(line), comments=True)
            if program == "cdp":
                self.settle()
                done = CliRunner().invoke(app, [each.replace(SHOP, self.site) for each in arguments])
                assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
                self.answer += done.stdout
            elif program == "curl":
                self.answer = self.curl(arguments).text
            else:
                assert (program, arguments[0]) in {("pip", "install"), ("npm", "install")}
                assert arguments[1] in _packages(), arguments[1]
            self.done.append(program)
        self.note()
        os.environ.update(self.noted)

    def curl(self, arguments: list[str]) -> httpx2.Response:
        headers: dict[str, str] = {}
        auth, content, url = None, None, ""
        rest = iter(arguments)
        for each in rest:
            match each:
                case "-u":
                    name, _, secret = next(rest).partition(":")
                    auth = httpx2.BasicAuth(name, secret)
                case "-H":
                    name, _, value = next(rest).partition(": ")
                    headers[name] = value
                case "-d":
                    content = next(rest).encode()
                    headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
                case "--data-binary":
                    content = (self.folder / next(rest).removeprefix("@")).read_bytes()
                case _:
                    assert each.startswith("http"), each
                    url = each
        asked = self.http.build_request("GET" if content is None else "POST", url, headers=headers, content=content)
        return self.http.send(asked) if auth is None else self.http.send(asked, auth=auth)

    def python(self, text: str) -> None:
        exec(compile(self.filled(text), "docs/integrate.md", "exec"), {})

    def js(self, text: str) -> None:
        (self.folder / "node_modules").symlink_to(node_modules())
        script = self.folder / "example.mjs"
        script.write_text(self.filled(text), encoding="utf-8")
        done = subprocess.run([NODE, script], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    def ts(self, text: str) -> None:
        """The page's script, as a bundler would make it; what it imports is the package's own browser build."""
        imported = "import { AnalyticsBrowser } from '@segment/analytics-next'"
        assert imported in text
        bundled = self.filled(text).replace(imported, "const { AnalyticsBrowser } = window.AnalyticsNext")
        self.page.goto(self.site)
        answered = f"{bundled}\nwindow.answered = {{ ...(await (await fetch(asked.url, {{ headers: {{ authorization: \
`Bearer ${{visitor.token}}` }} }})).json()) }}"
        self.page.evaluate(f"async () => {{ {answered} }}")
        assert self.page.title() == "Welcome back, Kim Vold"
        self.answer = json.dumps(self.page.evaluate("window.answered"))

    def graphql(self, text: str, variables: str) -> None:
        body = {"query": text, "variables": json.loads(variables)}
        self.answer = self.http.post(
            "/graphql", json=body, headers={"Authorization": f"Bearer {self.noted['TOKEN']}"}
        ).text

    def csv(self, text: str) -> None:
        (self.folder / "customers.csv").write_text(text, encoding="utf-8")


@pytest.fixture
def reader(database_url: str, tmp_path: Path, page: Page, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    settings = Settings(database_url=database_url, data_dir=tmp_path / "data", secret_key="s" * 48)
    with ExitStack() as stack:
        url, site = (stack.enter_context(serve(one)) for one in (create_app(settings), _site()))
        stack.enter_context(working(database_url))
        http = stack.enter_context(client(url))
        for name, value in {"CDP_DATABASE_URL": database_url, "CDP": url, "NO_PROXY": "127.0.0.1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield Reader(url=url, database_url=database_url, site=site, http=http, page=page, folder=tmp_path)


def _site() -> Starlette:
    def home(_request: Request) -> HTMLResponse:
        return HTMLResponse('<!doctype html><title>Shop</title><script src="/sdk/index.js"></script>')

    sdk = StaticFiles(directory=node_modules() / "@segment/analytics-next/dist/umd")
    return Starlette(routes=[Route("/", home), Mount("/sdk", app=sdk)])


def _packages() -> set[str]:
    npm = json.loads((PACKAGES / "package.json").read_text(encoding="utf-8"))["dependencies"]
    pip = re.findall(r'^ +"([\w-]+)', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    return {*npm, *pip}


def fits(told: Any, got: Any) -> bool:
    """Whether an answer is as told; `…` stands for anything."""
    if isinstance(told, dict):
        return isinstance(got, dict) and told.keys() == got.keys() and all(fits(told[name], got[name]) for name in told)
    if isinstance(told, list):
        return isinstance(got, list) and len(told) == len(got) and all(map(fits, told, got))
    if isinstance(told, str) and "…" in told:
        return isinstance(got, str) and re.fullmatch(".+".join(map(re.escape, re.split("…+", told))), got) is not None
    return bool(told == got and type(told) is type(got))


def test_an_answer_that_differs_does_not_fit() -> None:
    assert fits({"a": ["x…", 1]}, {"a": ["xyz", 1]})
    for got in (
        {"a": ["yz", 1]},
        {"a": ["xyz", 2]},
        {"a": ["xyz", True]},
        {"a": ["xyz"]},
        {"a": ["xyz", 1], "b": 2},
        {},
    ):
        assert not fits({"a": ["x…", 1]}, got)


def test_the_page_runs_as_it_stands(reader: Reader) -> None:
    ways = {"sh": reader.sh, "python": reader.python, "js": reader.js, "ts": reader.ts, "csv": reader.csv}
    blocks = iter(BLOCKS)
    for language, text in blocks:
        if language == "graphql":
            reader.graphql(text, next(blocks)[1])
        elif language in ways:
            ways[language](text)
        elif language == "json":
            assert fits(json.loads(text), json.loads(reader.answer)), f"{reader.answer}\n is not\n{text}"
        else:
            assert language == "text"
            assert fits(text.strip(), reader.answer.strip()), f"{reader.answer}\n is not\n{text}"
    reader.settle()
    with connect(reader.database_url) as connection:
        known = connection.execute("SELECT name FROM customer ORDER BY name").fetchall()
    assert known == [("Ana Berg",), ("Ben Holm",), ("Eva Lund",), ("Kim Vold",), ("Olga Ruiz",)]
    assert {"curl", "cdp", "pip", "npm"} <= set(reader.done)
    assert {language for language, _ in BLOCKS} == RUN | {"json", "text"}
