"""Contender `strawberry`: a schema with resolvers and data loaders, as Strawberry's documentation teaches it.

One data loader for each relation and request, one statement for each batch, rows read through SQLAlchemy's asynchronous
engine; Strawberry's ASGI view with its parser and validation caches on.
"""

import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import Select, Table, func, select, tuple_
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.scalars import JSON

from cdp.access.tables import source
from cdp.db.ids import format_id, read_id
from cdp.events.tables import interaction
from cdp.identify.tables import customer, customer_identifier, profile
from cdp.ledger.tables import account, ledger_entry, order_line, sales_order, shipment

_url = os.environ["BENCH_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
engine = create_async_engine(_url, pool_size=20, max_overflow=0, isolation_level="AUTOCOMMIT")
Info = strawberry.Info[dict[str, Any], None]


@strawberry.type
class Money:
    amount: Decimal
    currency: str


@strawberry.type
class Source:
    name: str


@strawberry.type
class Identifier:
    namespace: str
    value: str
    value_given: str
    verified: bool
    source_id: strawberry.Private[UUID]

    @strawberry.field
    async def source(self, info: Info) -> Source:
        return await _loaders(info).source.load(self.source_id)


@strawberry.type
class Profile:
    kind: str
    external_id: str
    first_seen_at: datetime
    source_id: strawberry.Private[UUID]

    @strawberry.field
    async def source(self, info: Info) -> Source:
        return await _loaders(info).source.load(self.source_id)


@strawberry.type
class LedgerEntry:
    kind: str
    document_number: str
    posted_on: date
    due_on: date | None
    amount: Money


@strawberry.type
class Account:
    key: strawberry.Private[UUID]
    number: str
    name: str
    tier: str
    credit_limit: Money | None

    @strawberry.field
    async def ledger(self, info: Info, first: int) -> list[LedgerEntry]:
        return (await _loaders(info).ledger.load(self.key))[:first]


@strawberry.type
class OrderLine:
    line_no: int
    name: str
    product: str | None
    quantity: Decimal
    amount: Money


@strawberry.type
class Shipment:
    number: str
    status: str
    carrier: str | None
    shipped_at: datetime | None


@strawberry.type
class Order:
    key: strawberry.Private[UUID]
    number: str
    status: str
    channel: str
    placed_at: datetime
    total: Money

    @strawberry.field
    async def lines(self, info: Info, first: int) -> list[OrderLine]:
        return (await _loaders(info).lines.load(self.key))[:first]

    @strawberry.field
    async def shipments(self, info: Info) -> list[Shipment]:
        return await _loaders(info).shipments.load(self.key)


@strawberry.type
class Interaction:
    kind: str
    direction: str
    name: str | None
    channel: str
    occurred_at: datetime


@strawberry.type
class OrdersSummary:
    total_count: int


@strawberry.type
class Customer:
    key: strawberry.Private[UUID]
    kind: str
    name: str | None
    email: str | None
    phone: str | None
    traits: JSON
    first_seen_at: datetime
    last_seen_at: datetime

    @strawberry.field
    def id(self) -> strawberry.ID:
        return strawberry.ID(format_id("cus", self.key))

    @strawberry.field
    async def identifiers(self, info: Info, first: int) -> list[Identifier]:
        return await _loaders(info).identifiers(first).load(self.key)

    @strawberry.field
    async def profiles(self, info: Info, first: int) -> list[Profile]:
        return await _loaders(info).profiles(first).load(self.key)

    @strawberry.field
    async def accounts(self, info: Info, first: int) -> list[Account]:
        return await _loaders(info).accounts(first).load(self.key)

    @strawberry.field
    async def orders(self, info: Info, first: int) -> list[Order]:
        return await _loaders(info).orders(first).load(self.key)

    @strawberry.field
    async def interactions(self, info: Info, first: int) -> list[Interaction]:
        return await _loaders(info).interactions(first).load(self.key)

    @strawberry.field
    async def orders_summary(self, info: Info, since: datetime) -> OrdersSummary:
        return await _loaders(info).summary(since).load(self.key)


Make = Callable[[Any], Any]
Load = Callable[[list[UUID]], Awaitable[Sequence[Any]]]


class Loaders:
    """Of one request: a loader a relation, and a page size where the relation is paged."""

    def __init__(self) -> None:
        self._paged: dict[Any, DataLoader[UUID, Any]] = {}
        self.source = DataLoader[UUID, Source](load_fn=_load_sources)
        self.ledger = DataLoader[UUID, list[LedgerEntry]](load_fn=_many(_newest_entries, "account_id", _entry))
        self.lines = DataLoader[UUID, list[OrderLine]](load_fn=_many(_lines, "order_id", _line))
        self.shipments = DataLoader[UUID, list[Shipment]](load_fn=_many(_shipments, "order_id", _shipment))

    def identifiers(self, first: int) -> DataLoader[UUID, list[Identifier]]:
        table = customer_identifier
        return self._of_customer(table, (table.c.namespace, table.c.value), first, _identifier)

    def profiles(self, first: int) -> DataLoader[UUID, list[Profile]]:
        return self._of_customer(profile, (profile.c.first_seen_at, profile.c.profile_id), first, _profile)

    def accounts(self, first: int) -> DataLoader[UUID, list[Account]]:
        return self._of_customer(account, (account.c.number, account.c.account_id), first, _account)

    def orders(self, first: int) -> DataLoader[UUID, list[Order]]:
        order = (sales_order.c.placed_at.desc(), sales_order.c.order_id.desc())
        return self._of_customer(sales_order, order, first, _order)

    def interactions(self, first: int) -> DataLoader[UUID, list[Interaction]]:
        order = (interaction.c.occurred_at.desc(), interaction.c.interaction_id.desc())
        return self._of_customer(interaction, order, first, _interaction)

    def summary(self, since: datetime) -> DataLoader[UUID, OrdersSummary]:
        if since not in self._paged:
            self._paged[since] = DataLoader(load_fn=_summaries(since))
        return self._paged[since]

    def _of_customer(self, table: Table, order: Sequence[Any], first: int, make: Make) -> DataLoader[UUID, Any]:
        key = table.name, first
        if key not in self._paged:
            # The first rows of each customer, in one statement: numbered within the customer.
            number = func.row_number().over(partition_by=table.c.customer_id, order_by=order).label("position")

            def rows(keys: list[UUID]) -> Select[Any]:
                numbered = select(table, number).where(table.c.customer_id.in_(keys)).subquery()
                return select(numbered).where(numbered.c.position <= first).order_by(numbered.c.position)

            self._paged[key] = DataLoader(load_fn=_many(rows, "customer_id", make))
        return self._paged[key]


def _many(statement: Callable[[list[UUID]], Select[Any]], key: str, make: Make) -> Load:
    async def load(keys: list[UUID]) -> list[list[Any]]:
        async with engine.connect() as connection:
            rows = (await connection.execute(statement(keys))).all()
        found: dict[UUID, list[Any]] = defaultdict(list)
        for row in rows:
            found[getattr(row, key)].append(make(row))
        return [found[each] for each in keys]

    return load


async def _load_sources(keys: list[UUID]) -> list[Source]:
    async with engine.connect() as connection:
        rows = (await connection.execute(select(source).where(source.c.source_id.in_(keys)))).all()
    found = {row.source_id: Source(name=row.name) for row in rows}
    return [found[each] for each in keys]


def _summaries(since: datetime) -> Load:
    async def load(keys: list[UUID]) -> list[OrdersSummary]:
        counted = (
            select(sales_order.c.customer_id, func.count().label("orders"))
            .where(sales_order.c.customer_id.in_(keys), sales_order.c.placed_at >= since)
            .group_by(sales_order.c.customer_id)
        )
        async with engine.connect() as connection:
            found = {row.customer_id: row.orders for row in (await connection.execute(counted)).all()}
        return [OrdersSummary(total_count=found.get(each, 0)) for each in keys]

    return load


def _newest_entries(keys: list[UUID]) -> Select[Any]:
    order = (ledger_entry.c.posted_on.desc(), ledger_entry.c.entry_id.desc())
    return select(ledger_entry).where(ledger_entry.c.account_id.in_(keys)).order_by(*order)


def _lines(keys: list[UUID]) -> Select[Any]:
    return select(order_line).where(_of_orders(order_line, keys)).order_by(order_line.c.line_no)


def _shipments(keys: list[UUID]) -> Select[Any]:
    return select(shipment).where(_of_orders(shipment, keys)).order_by(shipment.c.number, shipment.c.shipment_id)


def _of_orders(table: Table, keys: list[UUID]) -> Any:
    """Rows of these orders, through the index that leads with the customer."""
    owners = select(sales_order.c.customer_id, sales_order.c.order_id).where(sales_order.c.order_id.in_(keys))
    return tuple_(table.c.customer_id, table.c.order_id).in_(owners)


def _money(amount: Decimal | None, currency: str) -> Money | None:
    return None if amount is None else Money(amount=amount, currency=currency)


def _identifier(row: Any) -> Identifier:
    return Identifier(
        namespace=row.namespace,
        value=row.value,
        value_given=row.value_given,
        verified=row.verified,
        source_id=row.source_id,
    )


def _profile(row: Any) -> Profile:
    return Profile(kind=row.kind, external_id=row.key_value, first_seen_at=row.first_seen_at, source_id=row.source_id)


def _account(row: Any) -> Account:
    return Account(
        key=row.account_id,
        number=row.number,
        name=row.name,
        tier=row.tier,
        credit_limit=_money(row.credit_limit, row.currency),
    )


def _entry(row: Any) -> LedgerEntry:
    return LedgerEntry(
        kind=row.kind,
        document_number=row.document_number,
        posted_on=row.posted_on,
        due_on=row.due_on,
        amount=Money(amount=row.amount, currency=row.currency),
    )


def _order(row: Any) -> Order:
    return Order(
        key=row.order_id,
        number=row.number,
        status=row.status,
        channel=row.channel,
        placed_at=row.placed_at,
        total=Money(amount=row.total, currency=row.currency),
    )


def _line(row: Any) -> OrderLine:
    return OrderLine(
        line_no=row.line_no,
        name=row.name,
        product=row.product,
        quantity=row.quantity,
        amount=Money(amount=row.amount, currency=row.currency),
    )


def _shipment(row: Any) -> Shipment:
    return Shipment(number=row.number, status=row.status, carrier=row.carrier, shipped_at=row.shipped_at)


def _interaction(row: Any) -> Interaction:
    return Interaction(
        kind=row.kind, direction=row.direction, name=row.name, channel=row.channel, occurred_at=row.occurred_at
    )


def _customer(row: Any) -> Customer:
    return Customer(
        key=row.customer_id,
        kind=row.kind,
        name=row.name,
        email=row.email,
        phone=row.phone,
        traits=row.traits,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
    )


@strawberry.type
class Query:
    @strawberry.field
    async def customers(
        self, first: int, ordered_since: datetime | None = None, ordered_times: int = 1
    ) -> list[Customer]:
        statement = select(customer).order_by(customer.c.last_seen_at.desc(), customer.c.customer_id.desc())
        if ordered_since is not None:
            ordered = (
                select(func.count())
                .where(sales_order.c.customer_id == customer.c.customer_id, sales_order.c.placed_at >= ordered_since)
                .correlate(customer)
                .scalar_subquery()
            )
            statement = statement.where(ordered >= ordered_times)
        async with engine.connect() as connection:
            rows = (await connection.execute(statement.limit(first))).all()
        return [_customer(row) for row in rows]

    @strawberry.field
    async def customer(self, id: strawberry.ID) -> Customer | None:
        statement = select(customer).where(customer.c.customer_id == read_id(str(id), "cus"))
        async with engine.connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else _customer(row)


def _loaders(info: Info) -> Loaders:
    found: Loaders = info.context["loaders"]
    return found


class View(GraphQL[dict[str, Any], None]):
    """Strawberry's view, with fresh loaders for each request."""

    async def get_context(self, request: Any, response: Any) -> dict[str, Any]:
        return {"request": request, "response": response, "loaders": Loaders()}


app = Starlette()
app.add_route("/graphql", View(strawberry.Schema(Query, extensions=[ParserCache, ValidationCache])))  # type: ignore[arg-type]
