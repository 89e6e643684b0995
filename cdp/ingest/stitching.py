"""Stitching: a batch of the inbox becomes customers, contacts and orders, set-wise and in one transaction.

A message that cannot be applied is kept with stage, code and error, and holds up nobody: when a batch fails as a
whole, it is halved until the guilty message is found. Telling a message again, after a failure or a replay, has no
second effect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import psycopg
import structlog
from psycopg import Connection

from cdp.db.locks import hold_customers_exclusive
from cdp.errors import CdpError
from cdp.events.interactions import Contacts, InteractionTold, contacts_of, record_contacts
from cdp.events.queries import LANES, Failure, InboxMessage, Lanes, finish_messages, take_messages
from cdp.identify import Attached, ProfileKey, attach
from cdp.identify.gathering import Told, gather
from cdp.identify.identifier import GROUP_ID, identify
from cdp.identify.looking_ahead import Foreseen, look_ahead
from cdp.identify.queries import profile_keys
from cdp.ingest.reading import Contact, Reading, SourceTold, read_message
from cdp.ingest.sources import STATEMENTS
from cdp.ledger.accounts import ConsumerAccount, ensure_consumer_accounts
from cdp.ledger.orders import OrderRecord, record_orders
from cdp.ledger.queries import accounts_of_customers, find_accounts

MOST_MESSAGES: Final = 8_000
"""Of a round. The more, the less each costs, and the longer others wait for the customers' lock: half a second or so."""
MOST_LANES: Final = LANES
"""One stitcher may take all lanes: the customers' lock lets one at a time redraw them anyway."""

_TRANSIENT_CLASSES: Final = frozenset({"08", "40", "53", "55", "57", "58"})
"""SQLSTATE classes: connection, rollback, resources, prerequisite state, operator intervention, system."""

_log = structlog.stdlib.get_logger("cdp.ingest.stitching")

Failures = dict[tuple[UUID, str], Failure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stitched:
    """What one round did."""

    taken: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a batch tells identity, and its contacts; to be applied once."""

    told: Told
    contacts: Contacts
    foreseen: Foreseen | None = None


def stitch(
    connection: Connection[Any], *, most: int = MOST_MESSAGES, most_lanes: int = MOST_LANES, known: Lanes | None = None
) -> Stitched:
    """Take what waits, at most `most` messages, apply it and commit. `known`: what the rounds before learnt of the lanes.

    Raises psycopg.OperationalError when the database is away or the transaction must be tried again; nothing is lost
    then.
    """
    with connection.transaction():
        messages = take_messages(connection, most=most, most_lanes=most_lanes, known=known)
        if not messages:
            return Stitched(taken=0, failed=0)
        readings, failures = read(connection, messages)
        prepared = _prepared(connection, readings)
        hold_customers_exclusive(connection)
        failures |= apply_or_halve(connection, readings, prepared)
        finish_messages(connection, messages, failures)
    return Stitched(taken=len(messages), failed=len(failures))


def read(connection: Connection[Any], messages: Sequence[InboxMessage]) -> tuple[list[Reading], Failures]:
    """What the messages say, and the failures of those that say nothing understandable."""
    sources = _sources(connection, {message.source_id for message in messages})
    readings: list[Reading] = []
    failures: Failures = {}
    for message in messages:
        try:
            readings.append(read_message(message, sources[message.source_id]))
        except CdpError as error:
            failures[message.key] = _failure("decode", error)
        except Exception as error:  # noqa: BLE001 — whatever a message does to its reader, the others go on
            failures[message.key] = _failure("decode", error)
    return readings, failures


def prepare(readings: Sequence[Reading]) -> Prepared:
    """All of applying that can be done before the customers' lock is held. Pure."""
    # Those who act first; where the organisations are that they acted for, nobody asks.
    drafts = [reading.drafts[0] for reading in readings]
    drafts += [draft for reading in readings for draft in reading.drafts[1:]]
    return Prepared(
        told=gather(drafts, {one.source.source_id: one.source.default_region for one in readings}),
        contacts=contacts_of(
            [(one.message.received_at, _interaction(one, one.contact)) for one in readings if one.contact]
        ),
    )


def _prepared(connection: Connection[Any], readings: Sequence[Reading]) -> Prepared | None:
    """With what is stored of them by now; None where that can't be said of all of them: whose fault that is, halving finds."""
    try:
        prepared = prepare(readings)
    except CdpError:
        return None
    return replace(prepared, foreseen=look_ahead(connection, prepared.told))


def apply_or_halve(
    connection: Connection[Any], readings: Sequence[Reading], prepared: Prepared | None = None
) -> Failures:
    """Apply all, or find those that cannot be applied by halving; each try is a savepoint. `prepared`: if they are."""
    if not readings:
        return {}
    try:
        # In a pipeline what is only written isn't waited for: the next is made ready meanwhile, and the lock is held for less.
        with connection.transaction(), connection.pipeline():
            return apply(connection, readings, prepared or prepare(readings))
    except Exception as error:
        if _is_no_messages_fault(error):
            raise
        if len(readings) == 1:
            failure = _failure("identify", error)
            _log.warning("message failed", stage=failure.stage, code=failure.code, exc_info=error)
            return {readings[0].message.key: failure}
    half = len(readings) // 2
    return apply_or_halve(connection, readings[:half]) | apply_or_halve(connection, readings[half:])


def apply(connection: Connection[Any], readings: Sequence[Reading], prepared: Prepared) -> Failures:
    """Claims, then contacts and orders. Orders that cannot be understood are failures of their own; the rest lands."""

    def record(people: Sequence[Attached]) -> None:
        told = zip(readings, people, strict=False)  # organisations come after those who act
        homes = [(person.customer_id, person.profile_id) for reading, person in told if reading.contact]
        record_contacts(connection, prepared.contacts, homes)

    decisions = [decision for reading in readings for decision in reading.decisions]
    people = attach(connection, prepared.told, decisions=decisions, foreseen=prepared.foreseen, meanwhile=record)[
        : len(readings)
    ]
    told = [(reading, person) for reading, person in zip(readings, people, strict=True) if reading.order]
    if told:
        record_orders(connection, _orders(connection, told))
    return {
        reading.message.key: _failure("project", reading.order_problem) for reading in readings if reading.order_problem
    }


def _interaction(reading: Reading, contact: Contact) -> InteractionTold:
    return InteractionTold(
        source_id=reading.message.source_id,
        external_id=reading.message.message_id,
        kind=contact.kind,
        direction="outbound" if contact.direction == "outbound" else "inbound",
        name=contact.name,
        topic=contact.topic,
        product=contact.product,
        channel=reading.source.channel,
        division=contact.division,
        location=contact.location,
        occurred_at=reading.at,
        duration_seconds=contact.duration_seconds,
        properties=contact.properties,
        time_suspect=reading.time_suspect,
    )


def _orders(connection: Connection[Any], told: Sequence[tuple[Reading, Attached]]) -> list[OrderRecord]:
    """Order records with their accounts: the named account, the organisation's, else the consumer's own."""
    named = _named_accounts(connection, told)
    organisations = _organisation_accounts(connection, told)
    homes: dict[int, tuple[UUID, UUID]] = {}
    for number, (reading, _) in enumerate(told):
        home = named.get(reading.order.account_number or "") if reading.order else None
        home = home or organisations.get((reading.source.source_id, reading.organisation or ""))
        if home is not None:
            homes[number] = home
    consumers = {number: pair for number, pair in enumerate(told) if number not in homes}
    accounts = (
        ensure_consumer_accounts(connection, [_consumer(*pair) for pair in consumers.values()]) if consumers else {}
    )
    for number, (_, person) in consumers.items():
        homes[number] = person.customer_id, accounts[person.customer_id]
    return [
        reading.order.record(
            source_id=reading.source.source_id,
            message_id=reading.message.message_id,
            customer_id=homes[number][0],
            account_id=homes[number][1],
            profile_id=person.profile_id,
            contact_customer_id=person.customer_id if person.customer_id != homes[number][0] else None,
            channel=reading.source.channel,
            division=reading.contact.division if reading.contact else reading.source.division,
            location=reading.contact.location if reading.contact else reading.source.location,
        )
        for number, (reading, person) in enumerate(told)
        if reading.order is not None
    ]


def _named_accounts(
    connection: Connection[Any], told: Sequence[tuple[Reading, Attached]]
) -> Mapping[str, tuple[UUID, UUID]]:
    """(customer, account) by account number."""
    numbers = {reading.order.account_number for reading, _ in told if reading.order and reading.order.account_number}
    if not numbers:
        return {}
    found = find_accounts(connection, numbers)
    return {number: (home.customer_id, home.account_id) for number, home in found.items()}


def _organisation_accounts(
    connection: Connection[Any], told: Sequence[tuple[Reading, Attached]]
) -> Mapping[tuple[UUID, str], tuple[UUID, UUID]]:
    """(customer, account) by source and group id, for groups whose organisation has an account."""
    groups: dict[tuple[UUID, str], ProfileKey] = {}
    currencies: dict[tuple[UUID, str], str] = {}
    for reading, _ in told:
        group = identify(GROUP_ID, reading.organisation) if reading.organisation else None
        if group is not None and reading.organisation and reading.order:
            place = reading.source.source_id, reading.organisation
            groups[place] = ProfileKey(reading.source.source_id, *group)
            currencies[place] = reading.order.currency
    if not groups:
        return {}
    homes = profile_keys(connection, groups.values())
    wanted = [
        ConsumerAccount(
            profile_id=homes[key].profile_id,
            customer_id=homes[key].customer_id,
            currency=currencies[place],
            name="",
            source_id=place[0],
        )
        for place, key in groups.items()
        if key in homes
    ]
    accounts = accounts_of_customers(connection, wanted) if wanted else {}
    return {
        place: (homes[key].customer_id, accounts[homes[key].customer_id])
        for place, key in groups.items()
        if key in homes and homes[key].customer_id in accounts
    }


def _consumer(reading: Reading, person: Attached) -> ConsumerAccount:
    name = reading.traits.get("name")
    draft = reading.drafts[0]
    return ConsumerAccount(
        profile_id=person.profile_id,
        customer_id=person.customer_id,
        currency=reading.order.currency if reading.order else "",
        name=name if isinstance(name, str) and name.strip() else draft.value,
        source_id=reading.source.source_id,
    )


def _sources(connection: Connection[Any], source_ids: set[UUID]) -> dict[UUID, SourceTold]:
    rows = connection.execute(STATEMENTS["sources_of"], {"source_ids": list(source_ids)})
    return {
        source_id: SourceTold(
            source_id=source_id, channel=channel, division=division, location=location, default_region=region
        )
        for source_id, channel, division, location, region in rows
    }


def _is_no_messages_fault(error: Exception) -> bool:
    """Whether the database was away, full, stopping, or asks for another try; limits (class 54) a message does exceed."""
    if isinstance(error, psycopg.errors.PipelineAborted):
        return False  # what went wrong before it is the reason
    if not isinstance(error, psycopg.OperationalError):
        return isinstance(error, psycopg.InterfaceError)
    return error.sqlstate is None or error.sqlstate[:2] in _TRANSIENT_CLASSES


def _failure(stage: str, error: BaseException) -> Failure:
    """The error by kind, never by its text, which may quote the message."""
    if isinstance(error, CdpError):
        return Failure(stage=stage, code=error.code, error=type(error).__name__)
    sqlstate = getattr(error, "sqlstate", None)
    code = "database" if isinstance(error, psycopg.Error) else "internal"
    return Failure(stage=stage, code=code, error=f"{type(error).__name__} {sqlstate or ''}".strip())
