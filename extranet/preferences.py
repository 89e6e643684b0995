"""What the stored operations answer about preferences, the words of topics, and the wordings that people consent to.

A wording that changes gets a new version: what was consented to is recorded word by word, in the language it was shown in.
"""

from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

from extranet.answers import Answer
from extranet.texts import N_

TOPIC: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({
    "invoices": (N_("Invoices and payments"), N_("An invoice falls due, or is late.")),
    "orders": (N_("Orders"), N_("An order is shipped, or its day changes.")),
    "cases": (N_("Cases"), N_("Somebody answers what you asked.")),
    "announcements": (N_("Announcements"), N_("Prices, closing days, changes of service.")),
    "news": (N_("News and offers"), N_("What is new, and what might suit you.")),
})  # fmt: skip
CHANNEL: Final[Mapping[str, str]] = MappingProxyType({"email": N_("E-mail"), "phone": N_("Telephone")})
FREQUENCY: Final[Mapping[str, str]] = MappingProxyType({
    "AT_ONCE": N_("At once"),
    "DAILY": N_("Once a day"),
    "WEEKLY": N_("On Mondays"),
    "NEVER": N_("Never"),
})  # fmt: skip
BY_PHONE: Final[Mapping[str, str]] = MappingProxyType({"AT_ONCE": N_("Call me"), "NEVER": N_("Don’t call")})
WORDING_VERSION: Final = "2026-11"
CONSENT: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({
    "NEWS_EMAIL": (
        N_("News and offers by e-mail"),
        N_("Yes, send me news and offers by e-mail. I can stop this at any time, here or by the link in each letter."),
    ),
    "NEWS_PHONE": (
        N_("News and offers by telephone"),
        N_("Yes, call me about news and offers. I can stop this at any time, here or when you call."),
    ),
    "SUGGESTIONS": (
        N_("Suggestions from my orders"),
        N_("Yes, use what we ordered to suggest what might suit us. I can stop this at any time, here."),
    ),
})  # fmt: skip
MEANS: Final[Mapping[str, str]] = MappingProxyType({
    "preferences_page": N_("on this page"),
    "unsubscribe_link": N_("by a link in a letter"),
})  # fmt: skip
STOP_WORDING: Final = N_("Stop these letters")


class ContactChoice(Answer, frozen=True, kw_only=True):
    """How often about a topic, by a channel; `needs_consent` names what must be consented to first."""

    topic: str
    channel: str
    frequency: str
    needs_consent: str | None

    @property
    def name(self) -> str:
        """Its field in the form."""
        return f"{self.topic}-{self.channel}"


class Consent(Answer, frozen=True, kw_only=True):
    """A consent granted or withdrawn, with what was shown."""

    purpose: str
    granted: bool
    wording_version: str
    wording: str
    language: str
    means: str
    recorded_at: datetime


class Preferences(Answer, frozen=True, kw_only=True):
    """What somebody wants to be told; consents latest first."""

    language: str
    time_zone: str
    paused_until: date | None
    choices: list[ContactChoice]
    consents: list[Consent]

    def latest(self, purpose: str) -> Consent | None:
        """The word on a purpose that counts."""
        return next((each for each in self.consents if each.purpose == purpose), None)

    def stands(self, purpose: str) -> bool:
        """Whether it is yes."""
        said = self.latest(purpose)
        return said is not None and said.granted

    @property
    def rows(self) -> dict[str, dict[str, ContactChoice]]:
        """Choices by topic and channel, in their order."""
        found: dict[str, dict[str, ContactChoice]] = {}
        for each in self.choices:
            found.setdefault(each.topic, {})[each.channel] = each
        return found
