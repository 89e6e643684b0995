"""The two issuers that the same tests of signing in run against: ours, and one written by others."""

import os
import re
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import httpx2
from anyio import to_thread

from cdp.access.issuer.logout_notices import send_due_notices
from tests.access.world import API, EXTRANET, ISSUER, PASSWORD, Stage, follow, hidden_fields, submit_password
from tests.tooling.provision import NODE, node_modules

_PROGRAM = Path(__file__).parent / "provider" / "server.mjs"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerUnderTest:
    """An issuer, how a person signs in on its page, and how they confirm signing out.

    `end_session` is the path of its page to sign out. `tell_logouts` has what it tells its clients reach the extranet, and
    says how many logout tokens there were.
    """

    issuer: str
    settings: dict[str, str]
    sign_in: Callable[[httpx2.AsyncClient, httpx2.Response, str], Awaitable[httpx2.Response]]
    sign_out: Callable[[httpx2.AsyncClient, httpx2.Response], Awaitable[httpx2.Response]]
    end_session: str
    tell_logouts: Callable[[Stage], Awaitable[int]]

    @property
    def is_ours(self) -> bool:
        """Whether it is the embedded one."""
        return self.issuer == ISSUER


async def _ours(browser: httpx2.AsyncClient, page: httpx2.Response, name: str) -> httpx2.Response:
    return await submit_password(browser, page, f"{name}@example.com", PASSWORD)


async def _ours_out(browser: httpx2.AsyncClient, page: httpx2.Response) -> httpx2.Response:
    """It asks only when nobody says who sends the person."""
    if "Sign out?" not in page.text:
        return page
    form = {**hidden_fields(page.text), "confirmed": "yes"}
    return await browser.post(f"{ISSUER}/end-session", data=form, headers={"Origin": API})


async def _ours_told(stage: Stage) -> int:
    async with stage.browser() as http:
        return await send_due_notices(lambda: stage.pool, stage.world.settings, http)


OURS = IssuerUnderTest(
    issuer=ISSUER,
    settings={},
    sign_in=_ours,
    sign_out=_ours_out,
    end_session="/end-session",
    tell_logouts=_ours_told,
)


@contextmanager
def _letterbox() -> Iterator[tuple[str, Queue[str]]]:
    """An address in this process, since the extranet of these tests has none, and the bodies that are posted to it."""
    bodies: Queue[str] = Queue()

    class Box(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.put(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not told."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Box) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", bodies
        server.shutdown()
        thread.join()


@contextmanager
def theirs() -> Iterator[IssuerUnderTest]:
    """The npm package oidc-provider in a process of its own, until the block ends."""
    with _letterbox() as (address, bodies):
        yield from _running(address, bodies)


def _running(back_channel: str, bodies: Queue[str]) -> Iterator[IssuerUnderTest]:
    async def told(stage: Stage) -> int:
        said = [await to_thread.run_sync(lambda: bodies.get(timeout=10))]
        with suppress(Empty):
            while True:
                said.append(await to_thread.run_sync(lambda: bodies.get(timeout=0.7)))
        async with stage.browser() as http:
            for body in said:
                headers = {"Content-Type": "application/x-www-form-urlencoded"}
                answer = await http.post(f"{EXTRANET}/auth/back-channel-logout", content=body, headers=headers)
                assert answer.status_code == 200, answer.text
        return len(said)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "MODULES": str(node_modules()),
        "PORT": str(port),
        "CALLBACK": f"{EXTRANET}/auth/callback",
        "SIGNED_OUT": f"{EXTRANET}/signed-out",
        "BACK_CHANNEL": back_channel,
        "AUDIENCE": "http://localhost:8000",
    }
    process = subprocess.Popen(
        [NODE, _PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.strip() == "ready":
                break
        else:
            assert process.stderr is not None
            raise AssertionError(f"oidc-provider did not start: {said}{process.stderr.read()[-2000:]}")
        yield IssuerUnderTest(
            issuer=f"http://localhost:{port}",
            settings={
                "oidc_issuer": f"http://localhost:{port}",
                "oidc_client_id": "extranet",
                "oidc_client_secret": "a secret of the extranet, with = and +",
            },
            sign_in=_theirs,
            sign_out=_confirm,
            end_session="/session/end",
            tell_logouts=told,
        )
    finally:
        process.terminate()
        process.communicate(timeout=10)


async def _theirs(browser: httpx2.AsyncClient, page: httpx2.Response, name: str) -> httpx2.Response:
    """Its development pages: a name and any password, then consent where it asks."""
    answer = await _send_form(browser, page, {"prompt": "login", "login": name, "password": "any"})
    answer = await follow(browser, answer, until=EXTRANET)
    if answer.status_code == 200:
        answer = await _send_form(browser, answer, {"prompt": "consent"})
        answer = await follow(browser, answer, until=EXTRANET)
    return answer


async def _confirm(browser: httpx2.AsyncClient, page: httpx2.Response) -> httpx2.Response:
    token = re.search(r'name="xsrf" value="([^"]+)"', page.text)
    assert token is not None
    answer = await _send_form(browser, page, {"xsrf": token[1], "logout": "yes"})
    return await follow(browser, answer, until=EXTRANET)


async def _send_form(browser: httpx2.AsyncClient, page: httpx2.Response, form: dict[str, str]) -> httpx2.Response:
    action = re.search(r'<form[^>]* action="([^"]+)"', page.text)
    assert action is not None, page.text
    return await browser.post(page.url.join(unescape(action[1])), data=form)
