"""Preferences in the contract: what the member who asks wants to be told, how and how often, and what they consented to."""

import enum
from datetime import date, datetime

import strawberry

from cdp.access.tables import member
from cdp.access.viewer import Scope
from cdp.graph.declaration import many, scalar
from cdp.interact.tables import consent_record
from cdp.resolvers import preference as resolvers
from cdp.schema.base import graph


@strawberry.enum(description="How often somebody wants to hear about a topic.")
class ContactFrequency(enum.Enum):
    """Frequencies."""

    AT_ONCE = strawberry.enum_value("at_once", description="When there is something to tell.")
    DAILY = strawberry.enum_value("daily", description="Once a day, everything together.")
    WEEKLY = strawberry.enum_value("weekly", description="On Mondays, everything together.")
    NEVER = strawberry.enum_value("never", description="Not at all.")


@strawberry.enum(description="What somebody can consent to.")
class ConsentPurpose(enum.Enum):
    """Purposes."""

    NEWS_EMAIL = strawberry.enum_value("news_email", description="News and offers by e-mail.")
    NEWS_PHONE = strawberry.enum_value("news_phone", description="News and offers by telephone.")
    SUGGESTIONS = strawberry.enum_value("suggestions", description="Suggestions drawn from what they ordered.")


@graph.type(scope=Scope.ADMIN, member=Scope.GRAPH_READ, key=("position",), visible=resolvers.is_own)
class ContactChoice:
    """How often somebody wants to hear about a topic by a channel: what they chose, or what holds until they do."""

    topic: str = scalar("topic", "invoices, orders, cases, announcements or news.")
    channel: str = scalar("channel", "email or phone.")
    frequency: ContactFrequency = scalar("frequency", "How often.")
    needs_consent: ConsentPurpose | None = scalar("needs_consent", "What they must have consented to first.")


@graph.type(
    scope=Scope.ADMIN, member=Scope.GRAPH_READ, table=consent_record, key=("consent_id",), visible=resolvers.is_own
)
class Consent:
    """That somebody granted or withdrew consent, with the proof of it; the latest of a purpose counts."""

    purpose: ConsentPurpose = scalar("purpose", "To what.")
    granted: bool = scalar("is_granted", "Granted or withdrawn.")
    wording_version: str = scalar("wording_version", "Which version of the wording was shown.")
    wording: str = scalar("wording", "What was shown, word by word.")
    language: str = scalar("language", "In which language.")
    means: str = scalar("means", "How: preferences_page or unsubscribe_link.")
    recorded_at: datetime = scalar("recorded_at", "When.")


@graph.type(scope=Scope.ADMIN, member=Scope.GRAPH_READ, table=member, key=("member_id",), visible=resolvers.is_own)
class Preferences:
    """What the member who asks wants to be told, how and how often."""

    language: str = scalar(resolvers.language, "Code of the language they are answered and written to in.")
    time_zone: str = scalar("time_zone", "IANA name of the time zone they read times in.")
    paused_until: date | None = scalar("letters_paused_until", "No letters before that day.")
    choices: list[ContactChoice] = many(resolvers.choices, "Every topic and channel, in one order.", most=20)
    consents: list[Consent] = many(resolvers.consents, "What they granted and withdrew, latest first.", most=100)
