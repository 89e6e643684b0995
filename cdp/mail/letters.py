"""What a letter is, and how it is written: two templates of one name, `NAME.txt`, whose first line is the subject, and
`NAME.html`.

The HTML extends `letter.html` of this package, which holds the frame that all our letters share: one column, no picture, nothing
fetched. The text says everything that the HTML says.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape

from cdp import languages
from cdp.settings import Settings

_SUBJECT: Final = "Subject: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One letter to one address. `html` None: text alone.

    `unsubscribe_url` is for what people may stop: it must end the letters at one POST, without a question (RFC 8058). `about` is
    the same for the same letter sent again, so that a mailbox can tell (it becomes the Message-ID). `headers` are further ones.
    """

    to: str
    subject: str
    text: str
    html: str | None = None
    reply_to: str | None = None
    unsubscribe_url: str | None = None
    about: str | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class Letters:
    """A room's letters: the templates in its package's folder `letters`."""

    def __init__(self, package: str) -> None:
        self._environment = Environment(
            loader=ChoiceLoader([PackageLoader(package, "letters"), PackageLoader("cdp.mail")]),
            autoescape=select_autoescape(enabled_extensions=("html",)),
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.install_gettext_callables(  # type: ignore[attr-defined]
            languages.OURS.translated, languages.OURS.translated_plural, newstyle=True
        )
        self._environment.globals.update(languages=languages)

    def write(
        self,
        template: str,
        /,
        *,
        to: str,
        settings: Settings,
        reply_to: str | None = None,
        unsubscribe_url: str | None = None,
        about: str | None = None,
        language: str | None = None,
        **values: object,
    ) -> Letter:
        """The letter `template` to somebody, in `language` (of `cdp.languages`), else in the one spoken.

        The templates know `values`, `seller` (our name) and `unsubscribe_url`; their texts are `_("…")`.
        """
        with languages.speaking(language or languages.spoken()):
            return self._written(
                template,
                {**values, "seller": settings.seller_name, "unsubscribe_url": unsubscribe_url},
                to=to,
                reply_to=reply_to,
                unsubscribe_url=unsubscribe_url,
                about=about,
            )

    def _written(self, template: str, known: Mapping[str, object], **envelope: Any) -> Letter:
        first, _newline, text = self._environment.get_template(f"{template}.txt").render(known).partition("\n")
        if not first.startswith(_SUBJECT):
            raise AssertionError(f"{template}.txt must begin with its subject")
        subject = first.removeprefix(_SUBJECT).strip()
        return Letter(
            subject=subject,
            text=text.strip() + "\n",
            html=self._environment.get_template(f"{template}.html").render({**known, "title": subject}),
            **envelope,
        )


def compose(letter: Letter, settings: Settings, *, now: datetime | None = None) -> EmailMessage:
    """The message as it travels (RFC 5322). Raises ValueError for an address or header that can't be one."""
    sender = settings.mail_from or f"no-reply@{urlsplit(settings.public_url).hostname}"
    message = EmailMessage()
    message["From"] = str(Address(display_name=settings.seller_name, addr_spec=sender))
    message["To"] = str(Address(addr_spec=letter.to))
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(now or datetime.now(UTC))
    message["Message-ID"] = _message_id(letter, domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's out-of-office need answer
    if letter.reply_to:
        message["Reply-To"] = str(Address(addr_spec=letter.reply_to))
    if letter.unsubscribe_url:
        message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    for name, value in letter.headers.items():
        message[name] = value
    message.set_content(letter.text)
    if letter.html is not None:
        message.add_alternative(letter.html, subtype="html")
    return message


def _message_id(letter: Letter, *, domain: str) -> str:
    if letter.about is None:
        return make_msgid(domain=domain)
    return f"<{hashlib.sha256(f'{letter.about} {letter.to}'.encode()).hexdigest()[:32]}@{domain}>"
