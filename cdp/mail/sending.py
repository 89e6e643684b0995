"""Sending a letter through the mail server that `CDP_SMTP_URL` names, or keeping it as a file where there is none.

`smtps://` is encrypted from the start, `smtp://` as soon as the server offers it (STARTTLS); a password is told over an encrypted
connection only, or to this machine. What the server says it will never take is LetterRefused; everything else is worth another
try and is MailUnavailable.
"""

import os
import smtplib
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Final
from urllib.parse import unquote, urlsplit

import structlog
from anyio import to_thread

from cdp.errors import CdpError, Unavailable
from cdp.mail.letters import Letter, compose
from cdp.settings import Settings

TIMEOUT_SECONDS: Final = 20
_PERMANENT: Final = 500
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

log = structlog.stdlib.get_logger("cdp.mail")


class LetterRefused(CdpError):
    """The letter cannot be delivered, now or later: {problem}."""

    http_status = 422
    problem: str


class MailUnavailable(Unavailable):
    """The mail server does not take letters now; try again in {retry_after_seconds} seconds."""


class NoMailServer(CdpError):
    """No letter can be sent: CDP_SMTP_URL is not set."""

    http_status = 503


def sends(settings: Settings) -> bool:
    """Whether letters leave this machine."""
    return settings.smtp_url is not None


async def send(letter: Letter, settings: Settings) -> None:
    """As `send_now`, without holding up the event loop."""
    await to_thread.run_sync(send_now, letter, settings)


def send_now(letter: Letter, settings: Settings) -> None:
    """Hand the letter to the mail server, or keep it where there is none in development.

    Raises LetterRefused, MailUnavailable, and in production NoMailServer.
    """
    try:
        message = compose(letter, settings)
    except (ValueError, IndexError) as error:
        raise LetterRefused(problem="its address or one of its headers cannot be one") from error
    if settings.smtp_url is None:
        _keep(message, settings)
        return
    try:
        with _server(settings.smtp_url) as server:
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        raise _failure(min(codes, default=_PERMANENT)) from error
    except smtplib.SMTPResponseException as error:
        # A wrong password is ours to mend, so the letter is worth another try.
        is_ours = isinstance(error, smtplib.SMTPAuthenticationError)
        raise _failure(0 if is_ours else error.smtp_code) from error
    except (smtplib.SMTPException, OSError) as error:
        raise _failure(0) from error


@contextmanager
def _server(url: str) -> Iterator[smtplib.SMTP]:
    parts = urlsplit(url)
    host, context = parts.hostname or "", ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or (587 if parts.username else 25), timeout=TIMEOUT_SECONDS)
    with server:
        is_private = parts.scheme == "smtps"
        server.ehlo_or_helo_if_needed()
        if not is_private and server.has_extn("starttls"):
            server.starttls(context=context)
            is_private = True
        if parts.username:
            if not is_private and host not in _LOOPBACK:
                raise smtplib.SMTPNotSupportedError("the server offers no encryption to tell a password over")
            server.login(unquote(parts.username), unquote(parts.password or ""))
        yield server


def _failure(code: int) -> CdpError:
    log.warning("letter not sent", code=code)
    if code >= _PERMANENT:
        return LetterRefused(problem=f"the server answered {code}")
    return MailUnavailable(retry_after_seconds=60)


def _keep(message: EmailMessage, settings: Settings) -> None:
    """In a file that only we read: a letter holds links that open doors."""
    if settings.is_production:
        raise NoMailServer
    folder = settings.data_dir / "mail"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"{time.time_ns()}-{os.urandom(4).hex()}.eml"  # in order of name, so in order of time
    descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(message.as_bytes())
    log.info("letter kept", file=name)
