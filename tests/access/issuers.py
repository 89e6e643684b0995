"""The two issuers that the same tests of signing in run against: ours, and one written by others."""

import os
import re
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import httpx2

from tests.access.world import EXTRANET, ISSUER, PASSWORD, follow, submit_password
from tests.tooling.provision import NODE, node_modules

_PROGRAM = Path(__file__).parent / "provider" / "server.mjs"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerUnderTest:
    """An issuer, how a person signs in on its page, and how they confirm signing out."""

    issuer: str
    settings: dict[str, str]
    sign_in: Callable[[httpx2.AsyncClient, httpx2.Response, str], Awaitable[httpx2.Response]]
    sign_out: Callable[[httpx2.AsyncClient, httpx2.Response], Awaitable[httpx2.Response]]

    @property
    def is_ours(self) -> bool:
        """Whether it is the embedded one."""
        return self.issuer == ISSUER


async def _ours(browser: httpx2.AsyncClient, page: httpx2.Response, name: str) -> httpx2.Response:
    return await submit_password(browser, page, f"{name}@example.com", PASSWORD)


async def _no_question(browser: httpx2.AsyncClient, page: httpx2.Response) -> httpx2.Response:
    assert not browser.is_closed
    return page


OURS = IssuerUnderTest(issuer=ISSUER, settings={}, sign_in=_ours, sign_out=_no_question)


@contextmanager
def theirs() -> Iterator[IssuerUnderTest]:
    """The npm package oidc-provider in a process of its own, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "MODULES": str(node_modules()),
        "PORT": str(port),
        "CALLBACK": f"{EXTRANET}/auth/callback",
        "SIGNED_OUT": f"{EXTRANET}/signed-out",
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
