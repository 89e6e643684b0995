"""Finding by words, and by ids of several types at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    func,
    literal_column,
    or_,
    select,
    union,
)

from cdp.db.ids import parse_id, prefix_of
from cdp.graph import words
from cdp.graph.compiler import Arguments
from cdp.graph.declaration import GraphType, Registry, Row, Rows
from cdp.graph.mixed import Ranked
from cdp.identify.tables import customer, customer_identifier, customer_redirect
from cdp.ledger.tables import account, sales_order

SHORTEST_SEARCH: Final = 2
LONGEST_SEARCH: Final = 100
MOST_CANDIDATES: Final = 500

Condition = Callable[[ColumnElement[Any]], ColumnElement[bool]]
"""On a column."""


def found_by_words(_row: Row | None, arguments: Arguments) -> Mapping[str, Ranked]:
    """Customers by name or any identifier, accounts by name or number, orders by number or the client's reference; best first.

    Three letters or digits in a row are found anywhere; what has fewer, where a word begins, or every value would be read.
    """

    def bind(convert: Callable[[str], str | None]) -> ColumnElement[Any]:
        return arguments.bind("text", Text(), lambda text: convert(read_words(text)))

    def somewhere(text: str) -> str:
        return words.anywhere(text) if words.has_trigram(text) else words.at_the_beginning(text)

    text, anywhere = bind(str), bind(somewhere)
    later = bind(lambda text: None if words.has_trigram(text) else words.after_a_space(text))
    alike = bind(lambda text: text if words.has_trigram(text) else None)

    def has(column: ColumnElement[Any]) -> ColumnElement[bool]:
        return or_(*(_by_index(column, "ILIKE", pattern) for pattern in (anywhere, later)))

    def is_like(column: ColumnElement[Any]) -> ColumnElement[bool]:
        return _by_index(column, "%", alike)

    arguments.compiler.by_value = True  # an index is opened by a beginning that the planner knows
    return {
        "Customer": _customers(text, has, is_like),
        "Account": _accounts(text, has, is_like),
        "Order": _orders(text, bind(words.at_the_beginning)),
    }


def read_words(text: str) -> str:
    """The words, trimmed. Raises ValueError with a sentence for too few or too many characters."""
    trimmed = text.strip()
    if not SHORTEST_SEARCH <= len(trimmed) <= LONGEST_SEARCH:
        raise ValueError(f"search for {SHORTEST_SEARCH} to {LONGEST_SEARCH} characters.")
    return trimmed


def _by_index(column: ColumnElement[Any], operator: str, pattern: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(column.bool_op(operator)(pattern), words.once_more(column, operator, pattern))


def _customers(text: ColumnElement[Any], has: Condition, is_like: Condition) -> Ranked:
    # Look-ups by index, then the rows: an OR over both tables would read every customer.
    matched = _candidates(
        select(customer.c.customer_id).where(or_(has(customer.c.name), is_like(customer.c.name))),
        select(customer_identifier.c.customer_id).where(has(customer_identifier.c.value)),
    )
    found, known = customer.alias(), customer_identifier.alias()
    exact = (
        select(literal_column("0.0"))
        .where(known.c.customer_id == found.c.customer_id, func.lower(known.c.value) == func.lower(text))
        .limit(1)
        .scalar_subquery()
    )
    rank = func.coalesce(exact, literal_column("1.0") - func.similarity(func.coalesce(found.c.name, ""), text))
    return Ranked(rows=Rows(found, (found.c.customer_id == any_(matched),)), rank=rank)


def _accounts(text: ColumnElement[Any], has: Condition, is_like: Condition) -> Ranked:
    matched = _candidates(
        select(account.c.account_id).where(account.c.number == text),
        select(account.c.account_id).where(or_(has(account.c.name), is_like(account.c.name), has(account.c.number))),
    )
    found = account.alias()
    best = func.greatest(func.similarity(found.c.name, text), func.similarity(found.c.number, text))
    return Ranked(rows=Rows(found, (found.c.account_id == any_(matched),)), rank=literal_column("1.0") - best)


def _orders(text: ColumnElement[Any], beginning: ColumnElement[Any]) -> Ranked:
    matched = _candidates(
        select(sales_order.c.order_id).where(sales_order.c.number == text),
        *(
            select(sales_order.c.order_id).where(column.like(beginning)).order_by(column)
            for column in (sales_order.c.number, sales_order.c.purchase_order)
        ),
    )
    found = sales_order.alias()
    best = func.greatest(
        func.similarity(found.c.number, text), func.similarity(func.coalesce(found.c.purchase_order, ""), text)
    )
    return Ranked(rows=Rows(found, (found.c.order_id == any_(matched),)), rank=literal_column("1.0") - best)


def _candidates(*lookups: Select[Any]) -> ColumnElement[Any]:
    """Keys of the rows that are ranked, as an array: of each look-up so many, lest a beginning that all numbers have read them
    all. A number that is the text is a look-up of its own, so that it's among them.
    """
    found = union(*(each.limit(MOST_CANDIDATES) for each in lookups)).subquery()
    return func.array(select(*found.c).scalar_subquery())


def nodes_of(registry: Registry) -> Any:
    """Where `nodes` leads: rows of every node type whose ids were given, each with its place among them."""

    def where(_row: Row | None, arguments: Arguments) -> Mapping[str, Ranked]:
        return {target.name: _placed(target, arguments) for target in registry.by_prefix.values()}

    return where


def _placed(target: GraphType, arguments: Arguments) -> Ranked:
    prefix = target.prefix or ""
    given = arguments["ids"]
    bind = arguments.compiler.bind

    def uuids(ids: Sequence[str]) -> list[Any]:
        if unknown := next(
            (text for text in ids if prefix_of(text) not in arguments.compiler.registry.by_prefix), None
        ):
            raise ValueError(f"{unknown[:60]!r} is not an id.")
        return [parse_id(text, prefix) for text in ids if prefix_of(text) == prefix]

    def places(ids: Sequence[str]) -> list[int]:
        return [place for place, text in enumerate(ids, start=1) if prefix_of(text) == prefix]

    argument = "Query.nodes(ids:)"
    asked = (
        func.unnest(
            bind(given, ARRAY(Uuid), uuids, argument=argument), bind(given, ARRAY(Integer), places, argument=argument)
        )
        .table_valued("id", "place")
        .render_derived()
    )
    assert target.table is not None  # noqa: S101 — a node has a table
    row: Any = target.table.alias()
    wanted: ColumnElement[Any] = asked.c.id
    if prefix == "cus":
        moved = select(customer_redirect.c.target_customer_id).where(customer_redirect.c.customer_id == asked.c.id)
        wanted = func.coalesce(moved.correlate(asked).scalar_subquery(), asked.c.id)
    found = select(row, asked.c.place.label("place")).join_from(asked, row, row.c[target.key[-1]] == wanted).subquery()
    return Ranked(rows=Rows(found), rank=found.c.place)
