"""Identity's history: a customer's events, from both ledgers, under any id it ever had."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    Uuid,
    any_,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    union_all,
)

from cdp.db.ids import typed_id
from cdp.graph.compiler import Arguments
from cdp.graph.declaration import Row, Rows
from cdp.identify.tables import customer_merge, customer_redirect, identity_event


def of_customer(row: Row, _arguments: Arguments) -> Rows:
    """Merges, splits and all other events that name the customer by any id it ever had."""
    moved = select(customer_redirect.c.customer_id).where(customer_redirect.c.target_customer_id == row.c.customer_id)
    ids = func.array_append(func.array(moved.correlate(row).scalar_subquery()), row.c.customer_id)
    merge, event = customer_merge.alias(), identity_event.alias()

    def naming(table: Any) -> ColumnElement[bool]:
        named: ColumnElement[bool] = or_(table.c.customer_id == any_(ids), table.c.other_customer_ids.op("&&")(ids))
        return named

    merges = select(
        merge.c.merge_id.label("event_id"),
        merge.c.merge_id,
        merge.c.kind,
        merge.c.merged_at.label("happened_at"),
        merge.c.rule,
        merge.c.actor,
        merge.c.reason,
        merge.c.customer_id,
        merge.c.other_customer_ids,
        merge.c.profile_ids,
        merge.c.identifiers,
    ).where(naming(merge))
    events = select(
        event.c.event_id,
        cast(null(), Uuid),
        event.c.kind,
        event.c.happened_at,
        cast(null(), Text),
        event.c.actor,
        event.c.reason,
        event.c.customer_id,
        event.c.other_customer_ids,
        literal_column("'{}'::uuid[]", ARRAY(Uuid)),
        event.c.identifiers,
    ).where(naming(event))
    found = union_all(merges.correlate(row), events.correlate(row)).subquery()
    return Rows(found, (true(),))


def merge_id(row: Row) -> ColumnElement[str]:
    """The typed id of a merge's record; NULL of other events."""
    return typed_id("mrg", row.c.merge_id)


def customer_id(row: Row) -> ColumnElement[str]:
    """The typed id of an event's customer."""
    return typed_id("cus", row.c.customer_id)


def other_customer_ids(row: Row) -> ColumnElement[Any]:
    """The typed ids of the others, in the order recorded."""
    return _typed_ids("cus", row, row.c.other_customer_ids)


def profile_ids(row: Row) -> ColumnElement[Any]:
    """The typed ids of profiles that moved, in the order recorded."""
    return _typed_ids("pro", row, row.c.profile_ids)


def identifiers(row: Row, _arguments: Arguments) -> Rows:
    """The identifiers recorded with an event."""
    pair = func.jsonb_array_elements(row.c.identifiers).column_valued("pair")
    namespace, value = (func.jsonb_extract_path_text(pair, literal_column(f"'{place}'", Text)) for place in (0, 1))
    found = select(namespace.label("namespace"), value.label("value")).correlate(row).subquery()
    return Rows(found, (true(),))


def _typed_ids(prefix: str, row: Row, ids: ColumnElement[Any]) -> ColumnElement[Any]:
    each = func.unnest(ids).column_valued("each")
    found: ColumnElement[Any] = func.array(select(typed_id(prefix, each)).correlate(row).scalar_subquery())
    return found
