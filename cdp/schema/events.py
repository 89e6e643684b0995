"""Where a subscription's events come from: the change feed, narrowed to what was asked for.

What doesn't depend on the graph (kinds, ids) is decided as changes are handed on; a filter is asked of the database once for
each batch. Whoever may not read the field, or a field that is filtered by, is refused when subscribing.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, cast
from uuid import UUID

from graphql import GraphQLObjectType, GraphQLResolveInfo

from cdp.db.ids import format_id, parse_id, read_id
from cdp.errors import CdpError, Invalid
from cdp.feed import ChangeFeed, Recorded
from cdp.graph.declaration import GraphField
from cdp.graph.matching import Matching, authorise
from cdp.graph.refusal import ValueInvalid, graphql_error
from cdp.graph.runtime import GraphContext, GraphRunner
from cdp.identify.queries import STATEMENTS
from cdp.schema.order import OrderStatus
from cdp.schema.subscription import CustomerChange, CustomerChangeKind, OrderStatusChange, made

_CUSTOMER_KINDS: Final = {
    "customer.created": CustomerChangeKind.CREATED,
    "customer.changed": CustomerChangeKind.CHANGED,
    "customer.merged": CustomerChangeKind.MERGED,
    "customer.unmerged": CustomerChangeKind.UNMERGED,
    "customer.erased": CustomerChangeKind.ERASED,
    "identifier.linked": CustomerChangeKind.IDENTIFIER_LINKED,
    "identifier.unlinked": CustomerChangeKind.IDENTIFIER_UNLINKED,
}
_ORDER_KINDS: Final = frozenset({"order.placed", "order.status_changed"})


class NotServedHere(Invalid):
    """Subscriptions are served over a WebSocket that speaks graphql-transport-ws."""


@dataclass(slots=True, kw_only=True)
class SubscriptionContext(GraphContext):
    """What an operation over a socket runs with. `check` raises when the token no longer opens; `on_behind` ends the socket."""

    feed: ChangeFeed
    check: Callable[[], Awaitable[object]]
    on_behind: Callable[[], None]
    now: Callable[[], date]

    def begin(self) -> None:
        """A new event is an operation of its own: its limits begin anew, and the day may have changed."""
        self.nodes = self.statements = self.depth = self.compiled = 0
        self.exceeded = None
        self.today = self.now()


Info = GraphQLResolveInfo[GraphContext]
Streams = Mapping[str, Callable[[GraphRunner, GraphField, Info, Mapping[str, Any]], Awaitable[AsyncIterator[Any]]]]


def install_events(runner: GraphRunner, declared: Mapping[str, GraphField]) -> None:
    """Put the streams into the schema's subscription type."""
    owner = cast("GraphQLObjectType", runner.schema.type_map["Subscription"])
    for name, stream in _STREAMS.items():
        owner.fields[name].subscribe = _subscriber(runner, declared[name], stream)
        owner.fields[name].resolve = _one_event


def _subscriber(runner: GraphRunner, declared: GraphField, stream: Any) -> Any:
    async def subscribe(_root: Any, info: Info, **arguments: Any) -> AsyncIterator[Any]:
        if not isinstance(info.context, SubscriptionContext):
            raise graphql_error(NotServedHere(), list(info.field_nodes))
        try:
            found: AsyncIterator[Any] = await stream(runner, declared, info, arguments)
        except CdpError as error:
            if isinstance(error, Invalid):
                raise graphql_error(error, list(info.field_nodes)) from error
            raise
        return found

    return subscribe


def _one_event(event: Any, info: Info, **_arguments: Any) -> Any:
    cast("SubscriptionContext", info.context).begin()
    return event


# -- customers ---------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Customer:
    """Which changes are about one customer: its own, and those of whoever it is part of at the time."""

    customer_id: UUID
    ids: set[UUID] = field(default_factory=set)

    def wants(self, change: Recorded) -> bool:
        if change.kind not in _CUSTOMER_KINDS:
            return False
        about = change.customer_id in self.ids
        if change.kind in {"customer.merged", "customer.unmerged"}:
            told = change.details
            origin, target = (parse_id(told[end], "cus") for end in ("from", "into"))
            about = about or origin in self.ids or target in self.ids
            if change.kind == "customer.merged" and origin in self.ids and target is not None:
                self.ids.add(target)
            elif change.kind == "customer.unmerged" and target == self.customer_id:
                self.ids = {self.customer_id}
        return about


async def _customer_changed(
    runner: GraphRunner, declared: GraphField, info: Info, arguments: Mapping[str, Any]
) -> AsyncIterator[Any]:
    context = cast("SubscriptionContext", info.context)
    matching = Matching(runner, declared, info)
    wants: Callable[[Recorded], bool] = lambda change: change.kind in _CUSTOMER_KINDS  # noqa: E731 — the rule, in a word
    if arguments.get("id") is not None:
        wants = (await _customer(context, declared, arguments["id"])).wants
    batches = await _follow(context, wants, arguments)
    is_filtered = arguments.get("filter") is not None

    async def events() -> AsyncIterator[Any]:
        async with aclosing(batches):
            async for batch in batches:
                matched = await matching.among({one.customer_id for one in batch}) if is_filtered else None
                for change in batch:
                    if matched is None or change.customer_id in matched:
                        await context.check()
                        yield made(
                            CustomerChange,
                            cursor=change.position.cursor,
                            at=change.changed_at,
                            kind=_CUSTOMER_KINDS[change.kind],
                            customer_id=change.customer_id,
                        )

    return events()


async def _customer(context: SubscriptionContext, declared: GraphField, text: str) -> _Customer:
    """The customer of an id, and who it is part of now."""
    asked = _read(text, "cus", declared, "id")
    async with context.pool.connection() as connection:
        found = await connection.execute(STATEMENTS["redirects"], {"customer_ids": [asked]})
        return _Customer(asked, {asked, *(target for _, target in await found.fetchall())})


# -- orders ------------------------------------------------------------------------------------------------------------------


async def _order_status_changed(
    runner: GraphRunner, declared: GraphField, info: Info, arguments: Mapping[str, Any]
) -> AsyncIterator[Any]:
    context = cast("SubscriptionContext", info.context)
    authorise(runner, declared, info)
    account: str | None = None
    if arguments.get("accountId") is not None:
        account = format_id("acc", _read(arguments["accountId"], "acc", declared, "accountId"))
    batches = await _follow(
        context,
        lambda one: one.kind in _ORDER_KINDS and (account is None or one.details["accountId"] == account),
        arguments,
    )

    async def events() -> AsyncIterator[Any]:
        async with aclosing(batches):
            async for batch in batches:
                for change in batch:
                    await context.check()
                    told = change.details
                    yield made(
                        OrderStatusChange,
                        cursor=change.position.cursor,
                        at=change.changed_at,
                        before=OrderStatus(told["from"]) if "from" in told else None,
                        after=OrderStatus(told["to"] if "to" in told else told["status"]),
                        subject_id=change.subject_id,
                    )

    return events()


_STREAMS: Final[Streams] = {"customerChanged": _customer_changed, "orderStatusChanged": _order_status_changed}


async def _follow(
    context: SubscriptionContext, wants: Callable[[Recorded], bool], arguments: Mapping[str, Any]
) -> AsyncGenerator[list[Recorded], None]:
    cursor = arguments.get("after")
    after = None if cursor is None else await context.feed.position(cursor)
    return context.feed.follow(wants, after=after, on_behind=context.on_behind)


def _read(text: str, prefix: str, declared: GraphField, name: str) -> UUID:
    try:
        return read_id(text, prefix)
    except ValueError as error:
        raise ValueInvalid(argument=f"{declared.owner}.{declared.name}({name}:)", problem=str(error)) from error
