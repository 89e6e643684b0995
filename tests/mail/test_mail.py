"""Letters, sent through a real mail server: what arrives, what is refused for good, and what is worth another try."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope

from cdp.mail import Letter, LetterRefused, Letters, MailUnavailable, NoMailServer, send, send_now
from cdp.settings import Settings

LETTER = Letter(to="ana@client.example", subject="Größe 42 – your order", text="It is on its way.\n")


class Box:
    """A mail server's handler that keeps what comes, and refuses whom it is told to."""

    def __init__(self) -> None:
        self.kept: list[EmailMessage] = []
        self.answers: dict[str, str] = {}

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.kept.append(message)
        return "250 OK"


def authenticate(_server: SMTP, _session: Any, _envelope: Envelope, mechanism: str, told: Any) -> AuthResult:
    return AuthResult(success=(told.login, told.password) == (b"us", b"p@ss/word"), handled=False)


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[SimpleNamespace]:
    box = Box()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(
        box, hostname="127.0.0.1", port=port, auth_require_tls=False, authenticator=authenticate, enable_SMTPUTF8=True
    )
    server.start()
    settings = Settings(smtp_url=f"smtp://127.0.0.1:{port}", seller_name="Meridian, Supply", data_dir=tmp_path)
    yield SimpleNamespace(box=box, settings=settings, port=port)
    server.stop()


async def test_a_letter_arrives_in_text_and_html_with_all_it_should_say(mail: SimpleNamespace) -> None:
    letters = Letters("cdp.access.issuer")
    letter = letters.write(
        "reset",
        to="ana@client.example",
        settings=mail.settings,
        reply_to="manager@meridian.example",
        unsubscribe_url="https://clients.example/stop?a=1&b=2",
        about="reset 7",
        name="Ana <b>",
        link="https://api.example/idp/reset/secret",
    )
    await send(letter, mail.settings)
    (arrived,) = mail.box.kept
    assert arrived["from"] == '"Meridian, Supply" <no-reply@localhost>'
    assert arrived["to"] == "ana@client.example"
    assert arrived["subject"] == "Choose a new password for Meridian, Supply"
    assert arrived["reply-to"] == "manager@meridian.example"
    assert arrived["list-unsubscribe"] == "<https://clients.example/stop?a=1&b=2>"
    assert arrived["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert arrived["auto-submitted"] == "auto-generated"
    text, html = arrived.get_body(("plain",)), arrived.get_body(("html",))
    assert text is not None
    assert html is not None
    for body in (text, html):
        assert "https://api.example/idp/reset/secret" in body.get_content()
    assert "Ana <b>" in text.get_content()
    assert "Ana &lt;b&gt;" in html.get_content()
    assert "src=" not in html.get_content()  # nothing is fetched by whoever opens it


def test_the_same_letter_sent_again_can_be_told_by_its_id(mail: SimpleNamespace) -> None:
    for about in ("notice 1", "notice 1", "notice 2", None, None):
        send_now(replace(LETTER, about=about), mail.settings)
    ids = [message["message-id"] for message in mail.box.kept]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert {message["subject"] for message in mail.box.kept} == {"Größe 42 – your order"}


@pytest.mark.parametrize(
    ("answer", "error"), [("550 no such mailbox", LetterRefused), ("451 try later", MailUnavailable)]
)
def test_what_the_server_will_never_take_is_told_from_what_it_will_not_take_now(
    mail: SimpleNamespace, answer: str, error: type[Exception]
) -> None:
    mail.box.answers["ana@client.example"] = answer
    with pytest.raises(error):
        send_now(LETTER, mail.settings)
    assert mail.box.kept == []


@pytest.mark.parametrize(("user", "arrives"), [("us:p%40ss%2Fword", True), ("us:wrong", False)])
def test_the_password_in_the_address_is_told_to_the_server(mail: SimpleNamespace, user: str, *, arrives: bool) -> None:
    settings = mail.settings.model_copy(update={"smtp_url": f"smtp://{user}@127.0.0.1:{mail.port}"})
    if arrives:
        send_now(LETTER, settings)
    else:
        with pytest.raises(MailUnavailable):  # ours to mend; the letter is as good as before
            send_now(LETTER, settings)
    assert len(mail.box.kept) == int(arrives)


def test_a_server_that_is_not_there_is_worth_another_try(mail: SimpleNamespace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(MailUnavailable):
        send_now(LETTER, mail.settings.model_copy(update={"smtp_url": f"smtp://127.0.0.1:{port}"}))


@pytest.mark.parametrize(
    "changed",
    [
        {"to": "ana@client.example\nBcc: all@client.example"},
        {"to": "ana@client.example, other@client.example"},
        {"to": "ana"},
        {"to": ""},
        {"subject": "hello\r\nBcc: all@client.example"},
        {"headers": {"X-Kind": "a\nBcc: all@client.example"}},
    ],
)
def test_nobody_is_smuggled_into_the_headers(mail: SimpleNamespace, changed: dict[str, Any]) -> None:
    with pytest.raises(LetterRefused):
        send_now(replace(LETTER, **changed), mail.settings)
    assert mail.box.kept == []


def test_without_a_server_letters_are_kept_in_development_and_refused_in_production(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    send_now(LETTER, settings)
    (file,) = (tmp_path / "mail").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert message_from_bytes(file.read_bytes(), policy=policy.default)["to"] == "ana@client.example"
    production = settings.model_copy(update={"env": "production"})
    with pytest.raises(NoMailServer):
        send_now(LETTER, production)
