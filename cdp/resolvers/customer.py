"""Customers: where their edges lead, who they are found by, and which of them a member sees."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from sqlalchemy import ARRAY, ColumnElement, Text, Uuid, case, func, literal_column, select, true, union
from sqlalchemy.dialects.postgresql import distinct_on

from cdp.access.tables import source
from cdp.db.ids import read_id
from cdp.errors import Unavailable
from cdp.events.tables import interaction
from cdp.events.waiting import anything_waits
from cdp.graph.compiler import Arguments, MemberParameters
from cdp.graph.declaration import Row, Rows, by
from cdp.graph.runtime import GraphContext
from cdp.identify.identifier import identify
from cdp.identify.recognition import RECOGNITION_ORDER
from cdp.identify.tables import (
    affiliation,
    customer,
    customer_identifier,
    customer_redirect,
    identifier,
    profile,
    profile_trait,
)
from cdp.ledger.tables import account, sales_order


def visible(row: Row, me: MemberParameters) -> ColumnElement[bool]:
    """A member sees the holder of their account and the holder's contacts."""
    holder = select(account.c.customer_id).where(account.c.account_id == me.account_id)
    contacts = select(affiliation.c.person_customer_id).where(affiliation.c.customer_id.in_(holder))
    seen: ColumnElement[bool] = row.c.customer_id.in_(union(holder, contacts))
    return seen


def customer_id(arguments: Arguments, name: str = "id") -> ColumnElement[Any]:
    """The customer an id argument means today: merged ids lead to the customer they became part of."""
    given = arguments.bind(name, Uuid(), lambda text: read_id(text, "cus"))
    moved = select(customer_redirect.c.target_customer_id).where(customer_redirect.c.customer_id == given)
    return func.coalesce(moved.scalar_subquery(), given)


def by_id(_row: Row, arguments: Arguments) -> Rows:
    """The customer of an id, also of one that was merged away."""
    found = customer.alias()
    return Rows(found, (found.c.customer_id == customer_id(arguments),))


def everyone(_row: Row, _arguments: Arguments) -> Rows:
    """All customers."""
    return Rows(customer.alias())


def recognised(_row: Row, arguments: Arguments) -> Rows:
    """The customer that one of the identifiers names; the strongest namespace speaks first, shared values never."""
    given = arguments["identifiers"]
    bind = arguments.compiler.bind
    kind = ARRAY(Text)
    namespaces = bind(given, kind, lambda items: [item["namespace"] for item in items], argument="identifiers")
    values = bind(given, kind, _normal_forms, argument="identifiers")
    asked = (
        func.unnest(namespaces, values).table_valued("namespace", "value", with_ordinality="position").render_derived()
    )
    rank = case(
        *((asked.c.namespace == name, position) for position, name in enumerate(RECOGNITION_ORDER)),
        else_=len(RECOGNITION_ORDER),
    )
    known = identifier.alias()
    owner = (
        select(known.c.customer_id)
        .join_from(asked, known, (known.c.namespace == asked.c.namespace) & (known.c.value == asked.c.value))
        .where(~known.c.shared)
        .order_by(rank, asked.c.position)
        .limit(1)
    )
    found = customer.alias()
    return Rows(found, (found.c.customer_id == owner.scalar_subquery(),))


async def caught_up(context: GraphContext, arguments: Mapping[str, Any]) -> None:
    """Before recognition: messages that wait and may be about these identifiers are stitched. Then it is read where they were
    written. Where others are at work on them for too long, what is known is the answer.
    """
    writing, catch_up = context.writing, context.catch_up
    if writing is None or catch_up is None:
        return
    named = [(item["namespace"], item["value"]) for item in map(_plain, arguments["identifiers"])]
    try:
        context.statements += 1
        async with writing.pool.connection() as connection:
            waits = await anything_waits(connection, named)
        context.pool = writing.pool
        if waits:
            await writing.run(lambda connection: catch_up(connection, named))
    except (Unavailable, OperationalError, PoolTimeout):
        return


def _plain(item: Any) -> Mapping[str, str]:
    return item if isinstance(item, Mapping) else {"namespace": item.namespace, "value": item.value}


def _normal_forms(items: Sequence[dict[str, str]]) -> list[str]:
    found = (identify(item["namespace"], item["value"]) for item in items)
    return ["" if each is None else each.value for each in found]


def identifiers(row: Row, arguments: Arguments) -> Rows:
    """What names the customer, optionally of one namespace."""
    found = customer_identifier.alias()
    where = [found.c.customer_id == row.c.customer_id]
    if "namespace" in arguments:
        where.append(found.c.namespace == arguments.bind("namespace", Text()))
    return Rows(found, tuple(where))


def profiles(row: Row, _arguments: Arguments) -> Rows:
    """What each source knows."""
    found = profile.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id,))


def profile_traits(row: Row) -> ColumnElement[Any]:
    """A profile's own traits as one JSON object."""
    found = profile_trait.alias()
    traits = (
        select(func.coalesce(func.jsonb_object_agg(found.c.trait, found.c.value), literal_column("'{}'::jsonb")))
        .where(found.c.customer_id == row.c.customer_id, found.c.profile_id == row.c.profile_id)
        .correlate(row)
    )
    return traits.scalar_subquery()


def source_of(row: Row, _arguments: Arguments) -> Rows:
    """The source that told it."""
    found = source.alias()
    return Rows(found, (found.c.source_id == row.c.source_id,))


def accounts(row: Row, _arguments: Arguments) -> Rows:
    """Accounts the customer holds."""
    found = account.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id,))


def orders(row: Row, _arguments: Arguments) -> Rows:
    """Orders of the customer's accounts."""
    found = sales_order.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id,))


def interactions(row: Row, _arguments: Arguments) -> Rows:
    """Contacts through every channel."""
    found = interaction.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id,))


def contacts(row: Row, _arguments: Arguments) -> Rows:
    """People of an organisation, each once, by the earliest statement."""
    return _affiliations(row, affiliation.c.customer_id, affiliation.c.person_customer_id)


def organisations(row: Row, _arguments: Arguments) -> Rows:
    """Organisations a person belongs to, each once. Crosses customers: a second statement on a distributed database."""
    return _affiliations(row, affiliation.c.person_customer_id, affiliation.c.customer_id)


def _affiliations(row: Row, near: ColumnElement[Any], far: ColumnElement[Any]) -> Rows:
    once = (
        select(affiliation.c.customer_id, affiliation.c.person_customer_id, affiliation.c.role, affiliation.c.since_at)
        .ext(distinct_on(far))
        .where(near == row.c.customer_id)
        .order_by(far, affiliation.c.since_at)
        .correlate(row)
        .subquery()
    )
    return Rows(once, (true(),), (by("since_at"),))


def affiliated_person(row: Row, _arguments: Arguments) -> Rows:
    """The person of an affiliation."""
    found = customer.alias()
    return Rows(found, (found.c.customer_id == row.c.person_customer_id,))


def affiliated_organisation(row: Row, _arguments: Arguments) -> Rows:
    """The organisation of an affiliation."""
    found = customer.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id,))
