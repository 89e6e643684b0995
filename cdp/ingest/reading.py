"""Reading: what a stored message says, in the words of the rooms below: claims, decisions, a contact, an order. Pure.

Source: identity rules 1 and 6, and Segment's specification of the six calls.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from cdp.errors import Invalid
from cdp.events.queries import InboxMessage
from cdp.identify import ClaimDraft, Decision
from cdp.identify.claims import decision_id
from cdp.identify.identifier import (
    ACCOUNT_NUMBER,
    ANONYMOUS_ID,
    EMAIL,
    GROUP_ID,
    PHONE,
    USER_ID,
    VAT,
    Identifier,
    identify,
    namespace_of,
)
from cdp.ingest.commerce import OrderTold, read_order, tells_of_order
from cdp.ingest.messages import as_id, parse_time

EARLIEST_BELIEVED: Final = datetime(1990, 1, 1, tzinfo=UTC)
LATEST_BELIEVED: Final = timedelta(days=1)
LONGEST_TRANSIT: Final = timedelta(seconds=5)
LONGEST_DURATION_SECONDS: Final = 30 * 86_400
LONGEST_LABEL_CHARACTERS: Final = 500
LONGEST_TRAIT_NAME_CHARACTERS: Final = 200

_ORGANISATION_IDENTIFIERS: Final = {
    "accountNumber": ACCOUNT_NUMBER,
    "account_number": ACCOUNT_NUMBER,
    "vat": VAT,
    "vatNumber": VAT,
    "taxId": VAT,
    "tax_id": VAT,
}
_CONTACTS: Final = frozenset({"page", "screen", "track"})
# An organisation's e-mail and phone stay traits: they are often a person's too, who would lose them to it.


_NO_PROPERTIES: Final = msgspec.Raw(b"{}")


class NobodyMeant(Invalid):
    """The message's ids point at nobody."""


class UnreadableMessage(Invalid):
    """The message cannot be read."""


class Context(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """What is read of a message's context; pages, browsers and screens are passed over."""

    traits: Any = None
    group_id: Any = None
    device: Any = None
    external_ids: Any = None
    division: Any = None
    location: Any = None


class Properties(msgspec.Struct, kw_only=True, frozen=True, rename={"product_id_in_camel_case": "productId"}):
    """What is read of a contact's properties; the contact keeps them all as they came."""

    title: Any = None
    path: Any = None
    url: Any = None
    topic: Any = None
    category: Any = None
    direction: Any = None
    product_id: Any = None
    product_id_in_camel_case: Any = None
    sku: Any = None
    product: Any = None
    duration_seconds: Any = None
    duration: Any = None
    time_on_page: Any = None


class Body(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """A stored message, as far as it is read: what stays as it came is not taken apart."""

    type: str | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    previous_id: str | int | None = None
    group_id: str | int | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: Any = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    traits: dict[str, Any] | None = None
    properties: msgspec.Raw = _NO_PROPERTIES
    context: Context | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTold:
    """What projections need to know of a source."""

    source_id: UUID
    channel: str
    division: str | None
    location: str | None
    default_region: str | None


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """An interaction to be, before it is known whose."""

    kind: str
    direction: str
    name: str | None
    topic: str | None
    product: str | None
    division: str | None
    location: str | None
    duration_seconds: int | None
    properties: msgspec.Raw


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one message says. `drafts[0]` is about the person who acts; `organisation` is the group they act for."""

    message: InboxMessage
    source: SourceTold
    at: datetime
    time_suspect: bool
    drafts: Sequence[ClaimDraft]
    decisions: Sequence[Decision] = ()
    contact: Contact | None = None
    order: OrderTold | None = None
    order_problem: Invalid | None = None
    organisation: str | None = None
    traits: Mapping[str, Any] = msgspec.field(default_factory=dict)


_BODY: Final = msgspec.json.Decoder(Body)
_PROPERTIES: Final = msgspec.json.Decoder(Properties)
_NOTHING: Final = Context()


def read_message(message: InboxMessage, source: SourceTold) -> Reading:
    """What the message says. Raises UnreadableMessage, NobodyMeant."""
    body: str | bytes = message.body
    try:
        if "\\u0000" in message.body:
            # PostgreSQL's text has no NUL; the inbox keeps what was sent, readers see U+FFFD.
            body = msgspec.json.encode(_without_nul(msgspec.json.decode(body)))
        told = _BODY.decode(body)
        reader = _Reader(told, message, source, event_time(told, message.received_at))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableMessage from None
    at = reader.at
    order, problem = reader.order()
    return Reading(
        message=message,
        source=source,
        at=at,
        time_suspect=at < EARLIEST_BELIEVED or at > message.received_at + LATEST_BELIEVED,
        drafts=reader.drafts(),
        decisions=reader.decisions(),
        contact=reader.contact(),
        order=order,
        order_problem=problem,
        organisation=_text(told.context.group_id) if told.context else None,
        traits=reader.person_traits,
    )


def event_time(told: Body, received_at: datetime) -> datetime:
    """When it happened by our clock: `received − (sent − original)`, which takes the sender's wrong clock out.

    Without both of the sender's times, the one there is; without any, when it was received. A message that says it was
    sent up to `LONGEST_TRANSIT` ago was under way, its sender's clock is right: it happened when the sender says, to the
    digit, however often it is sent again.
    """
    text = told.original_timestamp or told.timestamp
    if text is None:
        return received_at
    original = parse_time(text)
    if not isinstance(told.sent_at, str):
        return original
    try:
        sent_at = parse_time(told.sent_at)
        return (
            original if timedelta() <= received_at - sent_at <= LONGEST_TRANSIT else received_at - (sent_at - original)
        )
    except (ValueError, OverflowError):
        return original


class _Reader:
    def __init__(self, told: Body, message: InboxMessage, source: SourceTold, at: datetime) -> None:
        self._told = told
        self._message = message
        self._source = source
        self.at = at
        self._context = told.context or _NOTHING
        # As JSON null, which stands for nothing, or an object.
        self._properties = told.properties if bytes(told.properties) != b"null" else _NO_PROPERTIES
        self._read = _PROPERTIES.decode(self._properties) if told.type in _CONTACTS else None
        own = _mapping(told.traits) if told.type == "identify" else {}
        self._stated = _mapping(self._context.traits)
        self.person_traits = _named({**self._stated, **own}) if own or self._stated else {}

    def drafts(self) -> list[ClaimDraft]:
        """The person's claim first, then the organisation's."""
        identifiers = list(self._identifiers())
        keys = [one for one in identifiers if one[0] in {USER_ID, ANONYMOUS_ID}]
        if not keys:
            raise NobodyMeant
        namespace, value = keys[0]
        is_group = self._told.type == "group"
        group = as_id(self._told.group_id) if is_group else None
        person = ClaimDraft(
            source_id=self._source.source_id,
            namespace=namespace,
            value=value,
            at=self.at,
            message_id=self._message.message_id,
            identifiers=identifiers,
            traits=self.person_traits,
            group=(GROUP_ID, group) if group else None,
            role=_text(_mapping(self._told.traits).get("role")) if is_group else None,
        )
        if group is None:
            return [person]
        if identify(GROUP_ID, group) is None:
            raise NobodyMeant
        traits = _named({name: value for name, value in _mapping(self._told.traits).items() if name != "role"})
        return [
            person,
            ClaimDraft(
                source_id=self._source.source_id,
                namespace=GROUP_ID,
                value=group,
                at=self.at,
                message_id=self._message.message_id,
                kind="organisation",
                identifiers=[
                    (namespace, str(traits[name]))
                    for name, namespace in _ORGANISATION_IDENTIFIERS.items()
                    if isinstance(traits.get(name), str | int)
                ],
                traits=traits,
            ),
        ]

    def decisions(self) -> list[Decision]:
        """Rule 6: `alias` ties what was known as `previousId`, be it a user or a device, to the user id."""
        if self._told.type != "alias":
            return []
        one = identify(USER_ID, as_id(self._told.user_id) or "")
        others = [identify(namespace, as_id(self._told.previous_id) or "") for namespace in (USER_ID, ANONYMOUS_ID)]
        if one is None or None in others:
            raise NobodyMeant
        return [self._link(one, other) for other in others if other is not None and other != one]

    def contact(self) -> Contact | None:
        """Pages, screens and tracked events are contacts; identify, group and alias are not."""
        told, read, context, source = self._told, self._read, self._context, self._source
        if read is None or told.type is None:
            return None
        name = told.event if told.type == "track" else told.name or _first(read.title, read.path, read.url)
        product = _first(read.product_id, read.product_id_in_camel_case, read.sku, read.product)
        return Contact(
            kind=told.type,
            direction="outbound" if read.direction == "outbound" else "inbound",
            name=_label(name),
            topic=_label(_text(read.topic) or told.category or _text(read.category)),
            product=_label(product),
            division=(_label(_place(context.division)) if context.division else None) or source.division,
            location=(_label(_place(context.location)) if context.location else None) or source.location,
            duration_seconds=_duration(read.duration_seconds, read.duration, read.time_on_page),
            properties=self._properties,
        )

    def order(self) -> tuple[OrderTold | None, Invalid | None]:
        """What the message says of an order, or why that cannot be understood."""
        if self._told.type != "track" or not tells_of_order(self._told.event):
            return None, None
        try:
            return read_order(self._message.body, self._told.event or "", self.at), None
        except Invalid as problem:
            return None, problem

    def _identifiers(self) -> Iterator[tuple[str, str]]:
        """Rule 1, those of use only; the user id first."""
        region = self._source.default_region
        context = self._context
        found: list[tuple[str, Any]] = [
            (USER_ID, as_id(self._told.user_id)),
            (ANONYMOUS_ID, as_id(self._told.anonymous_id)),
        ]
        own = _mapping(self._told.traits if self._told.type == "identify" else None)
        traits = self._stated
        if own or traits:
            found += ((EMAIL, own.get("email")), (EMAIL, traits.get("email")))
            found += ((PHONE, own.get("phone")), (PHONE, traits.get("phone")))
        if context.device is not None:
            found.append(("device_token", _mapping(context.device).get("token")))
        external = context.external_ids
        if isinstance(external, list):
            found += (
                (namespace_of(one["type"]) or "", one.get("id"))
                for one in external
                if isinstance(one, dict)
                and isinstance(one.get("type"), str)
                and one.get("collection", "users") == "users"
            )
        for namespace, value in found:
            if isinstance(value, str | int) and not isinstance(value, bool):
                text = str(value)
                if text and identify(namespace, text, region=region) is not None:
                    yield namespace, text

    def _link(self, one: Identifier, other: Identifier) -> Decision:
        return Decision(
            decision_id=decision_id("link", one, other, "alias"),
            kind="link",
            one=one,
            other=other,
            rule="alias",
            decided_at=self.at,
            actor=f"source:{self._source.source_id}",
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _named(traits: Mapping[str, Any]) -> dict[str, Any]:
    """Traits with names a person could have given; a longer one is somebody's data in the wrong place."""
    return {name: value for name, value in traits.items() if 0 < len(name) <= LONGEST_TRAIT_NAME_CHARACTERS}


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _first(*values: Any) -> str | None:
    for value in values:
        if value is not None and (text := _text(value)):
            return text
    return None


def _place(value: Any) -> str | None:
    """A place told as text, or as Segment's location object."""
    if isinstance(value, dict):
        return _first(*(value.get(name) for name in ("name", "city", "region", "country")))
    return _text(value)


def _label(text: str | None) -> str | None:
    return text[:LONGEST_LABEL_CHARACTERS] if text else None


def _duration(*values: Any) -> int | None:
    for value in values:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST_DURATION_SECONDS:
            return round(value)
    return None


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return value
