"""One attempt to deliver: a signed POST, and what came of it. It follows no redirect, reads little of the answer, and takes
no longer than it may.
"""

import asyncio
import email.utils
import ssl
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

import httpcore2

from cdp.webhooks.policy import Outcome, Policy
from cdp.webhooks.signing import signed_headers
from cdp.webhooks.targets import GuardedBackend, TargetForbidden, Targets

LONGEST_EXCERPT_CHARACTERS: Final = 1_000
_MOST_READ_BYTES: Final = 4_096
_AGENT: Final = "customer-graph-webhooks/1"


class Sender:
    """Connections to receivers, as an asynchronous context. `tls` is for tests with an authority of their own."""

    def __init__(self, targets: Targets, policy: Policy, *, tls: ssl.SSLContext | None = None) -> None:
        self._targets = targets
        self._policy = policy
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=policy.most_at_once,
            max_keepalive_connections=policy.most_at_once,
            keepalive_expiry=30,
            network_backend=GuardedBackend(targets),
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.__aexit__(kind, error, trace)

    async def send(self, url: str, *, message_id: str, body: str, secrets: list[str]) -> Outcome:
        """Send a message once. Never raises for what a receiver does."""
        if self._targets.problem(url) is not None:
            return Outcome(kind="forbidden", problem="The address is not one that webhooks may go to.")
        if not secrets:
            return Outcome(
                kind="forbidden", problem="No secret opens: CDP_SECRET_KEY is another than when it was made."
            )
        headers = [
            *signed_headers(message_id, datetime.now(UTC), body, secrets).items(),
            ("content-type", "application/json"),
            ("user-agent", _AGENT),
        ]
        try:
            async with asyncio.timeout(self._policy.timeout_seconds):
                return await self._answer(url, headers, body.encode())
        except TargetForbidden:
            return Outcome(kind="forbidden", problem="The name leads into a network that webhooks may not go to.")
        except (TimeoutError, httpcore2.TimeoutException):
            return Outcome(kind="timed_out", problem=f"No answer within {self._policy.timeout_seconds:g} s.")
        except (httpcore2.NetworkError, httpcore2.ProtocolError, ssl.SSLError, OSError) as error:
            return Outcome(kind="unreachable", problem=_said(error))

    async def _answer(self, url: str, headers: Sequence[tuple[str, str]], content: bytes) -> Outcome:
        timeout = {"connect": self._policy.connect_seconds}
        async with self._pool.stream(
            "POST", url, headers=headers, content=content, extensions={"timeout": timeout}
        ) as answer:
            excerpt = await _beginning(answer)
            if 200 <= answer.status < 300:  # noqa: PLR2004 — HTTP's own classes
                return Outcome(kind="delivered", status=answer.status, excerpt=excerpt)
            if 300 <= answer.status < 400:  # noqa: PLR2004
                problem = f"Answered {answer.status}; redirects are not followed."
                return Outcome(kind="redirected", status=answer.status, excerpt=excerpt, problem=problem)
            return Outcome(
                kind="refused",
                status=answer.status,
                excerpt=excerpt,
                problem=f"Answered {answer.status}.",
                wait_seconds=_asked_wait(answer.headers),
            )


async def _beginning(answer: httpcore2.Response) -> str:
    """How the answer's body begins, as text that can be stored and shown."""
    read = bytearray()
    async for chunk in answer.aiter_stream():
        read += chunk
        if len(read) >= _MOST_READ_BYTES:
            break
    text = bytes(read[:_MOST_READ_BYTES]).decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)[
        :LONGEST_EXCERPT_CHARACTERS
    ]


def _asked_wait(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 §10.2.3), a number or a date; None where there is none, or nonsense."""
    given = next((value.decode("latin-1").strip() for name, value in headers if name.lower() == b"retry-after"), None)
    if given is None:
        return None
    if given.isascii() and given.isdigit():
        return float(given[:9])
    try:
        until = email.utils.parsedate_to_datetime(given)
    except ValueError:
        return None
    return max(0.0, (until - datetime.now(UTC)).total_seconds()) if until.tzinfo else None


def _said(error: Exception) -> str:
    """Why a receiver could not be reached, for people: a sentence without what the network library says inside."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f"Its certificate is not trusted: {inner.verify_message}."
        if isinstance(inner, ssl.SSLError):
            return "TLS could not be agreed on."
        inner = inner.__cause__ or inner.__context__
    if isinstance(error, httpcore2.ConnectError):
        return "Nobody answers at its address, or its name is not known."
    return "The connection broke before an answer came."
