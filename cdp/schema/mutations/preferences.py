"""Mutations of members about themselves: what they want to be told, and what they consent to."""

from datetime import date
from typing import Annotated

import strawberry

from cdp.access.viewer import Member, Role
from cdp.errors import Mistake
from cdp.interact import preferences
from cdp.schema.mutations.acting import UserError, authorise, user_error, work
from cdp.schema.preference import ConsentPurpose, ContactFrequency

_OWN = "For members, about themselves."


@strawberry.input(description="How often about what, by which channel.")
class ContactChoiceInput:
    """One choice."""

    topic: str = strawberry.field(description="invoices, orders, cases, announcements or news.")
    channel: str = strawberry.field(description="email or phone.")
    frequency: ContactFrequency = strawberry.field(description="How often.")


@strawberry.input(description="What a member wants to be told, how and how often.")
class PreferencesSaveInput:
    """Input of preferencesSave."""

    choices: list[ContactChoiceInput] = strawberry.field(description="Choices; others stay as they are.")
    paused_until: date | None = strawberry.field(
        default=None, description="No letters before that day; null: no pause."
    )
    language: str = strawberry.field(description="Code of a language: en, es, pl or pt.")
    time_zone: str = strawberry.field(description="IANA name, such as Europe/Lisbon.")


@strawberry.input(description="What a member says to a purpose, having read a wording.")
class ConsentRecordInput:
    """Input of consentRecord."""

    purpose: ConsentPurpose = strawberry.field(description="To what.")
    granted: bool = strawberry.field(description="Granted, or withdrawn.")
    wording_version: str = strawberry.field(description="Which version of the wording was shown.")
    wording: str = strawberry.field(description="What was shown, word by word.")
    language: str = strawberry.field(description="In which language.")


@strawberry.type(description="What came of a mutation of preferences.")
class PreferencesPayload:
    """Payload."""

    user_errors: list[UserError] = strawberry.field(description="Why nothing was saved; empty when all went well.")


async def _save(
    info: strawberry.Info, input: Annotated[PreferencesSaveInput, strawberry.argument(description="What they want.")]
) -> PreferencesPayload:
    authorise(info, scope=None, roles=tuple(Role))
    chosen = [
        preferences.Choice(topic=each.topic, channel=each.channel, frequency=preferences.Frequency[each.frequency.name])
        for each in input.choices
    ]
    today = info.context.today
    return _payload(
        await work(
            info,
            lambda connection: preferences.save_preferences(
                connection,
                chosen,
                paused_until=input.paused_until,
                language=input.language,
                time_zone=input.time_zone,
                today=today,
            ),
        )
    )


async def _consent(
    info: strawberry.Info, input: Annotated[ConsentRecordInput, strawberry.argument(description="What they say.")]
) -> PreferencesPayload:
    viewer = authorise(info, scope=None, roles=tuple(Role))
    assert isinstance(viewer, Member)  # noqa: S101 — no tool may
    saying = preferences.Saying(
        purpose=input.purpose.name.lower(),
        is_granted=input.granted,
        wording_version=input.wording_version[:40],
        wording=input.wording,
        language=input.language[:8],
    )
    return _payload(
        await work(info, lambda connection: preferences.record_consent(connection, viewer.member_id, saying))
    )


def _payload(mistake: Mistake | None) -> PreferencesPayload:
    return PreferencesPayload(user_errors=[user_error(mistake)] if mistake else [])


@strawberry.type
class PreferencesMutation:
    """Roots; the mutation root has them."""

    preferences_save: PreferencesPayload | None = strawberry.field(
        resolver=_save, description=f"Saves what they want to be told, how and how often. {_OWN}"
    )
    consent_record: PreferencesPayload | None = strawberry.field(
        resolver=_consent,
        description=f"Records that they grant or withdraw consent, with what they were shown; no record ever changes. {_OWN}",
    )
