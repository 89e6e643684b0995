"""Filters: operators, words, relations quantified, counted and summed; and nobody filters by what they may not read."""

from typing import Any

import pytest

from cdp.access.viewer import Role, Scope, Tool
from cdp.schema import Graph
from tests.graph.business import id_of
from tests.graph.conftest import EVERYTHING, TODAY, member

READER = Tool(client_id="reader", scopes=frozenset({Scope.GRAPH_READ}))


async def _numbers(graph: Graph, filters: str) -> list[str]:
    result = await graph.execute(
        f"{{ accounts(first: 100, filter: {filters}) {{ nodes {{ number }} }} }}", {}, EVERYTHING, today=TODAY
    )
    assert not result.errors, result.errors
    assert result.data is not None
    assert result.statements == 1
    return [node["number"] for node in result.data["accounts"]["nodes"]]


EVERY = [f"K-{1000 + number}" for number in range(2, 41, 2)]
YEN = [f"K-{1000 + number}" for number in range(6, 41, 6)]


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ("{}", EVERY),
        ("null", EVERY),
        ("{or: []}", []),
        ("{and: []}", EVERY),
        ('{number: {eq: "K-1010"}}', ["K-1010"]),
        ('{number: {in: ["K-1010", "K-1012", "nothing"]}}', ["K-1010", "K-1012"]),
        ('{number: {startsWith: "k-100"}}', ["K-1002", "K-1004", "K-1006", "K-1008"]),
        ('{number: {contains: "%"}}', []),
        ('{number: {startsWith: "K_1010"}}', []),
        (r'{number: {contains: "\\\\"}}', []),
        ('{name: {contains: "COUNT 10"}}', ["K-1010"]),
        ('{name: {startsWith: ""}, number: {eq: "K-1010"}}', ["K-1010"]),
        ('{currency: {eq: "JPY"}}', YEN),
        ('{not: {currency: {eq: "EUR"}}}', YEN),
        ('{or: [{number: {eq: "K-1002"}}, {tier: {eq: KEY}}]}', ["K-1002", "K-1010", "K-1020", "K-1030", "K-1040"]),
        (
            "{legalName: {isNull: false}, tier: {ne: KEY}}",
            [f"K-{1000 + number}" for number in (4, 8, 12, 16, 24, 28, 32, 36)],
        ),
        ('{not: {legalName: {startsWith: "Account"}}, tier: {eq: KEY}}', ["K-1010", "K-1030"]),
    ],
)
async def test_fields_and_words_find_exactly_their_rows(graph: Graph, filters: str, numbers: list[str]) -> None:
    assert await _numbers(graph, filters) == numbers


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ('{orders: {some: {number: {eq: "SO-10-2"}}}}', ["K-1010"]),
        ("{orders: {none: {status: {eq: PLACED}}}}", []),
        ("{orders: {every: {status: {ne: RETURNED}}}}", EVERY),
        ("{orders: {every: {status: {eq: PLACED}}}}", []),
        ("{orders: {count: {gte: 4}}}", EVERY),
        ("{orders: {count: {gt: 4}}}", []),
        ("{orders: {where: {status: {eq: PLACED}}, count: {eq: 1}}}", EVERY),
        ("{orders: {where: {status: {eq: RETURNED}}, count: {eq: 0}}}", EVERY),
        ("{orders: {sum: {total: {eq: 1000}}}}", YEN),
        ("{orders: {sum: {total: {gte: 1001}}}}", [number for number in EVERY if number not in YEN]),
        ('{orders: {sum: {total: {gte: 1000, currency: "JPY"}}}}', YEN),
        ('{orders: {sum: {total: {eq: 0, currency: "USD"}}}}', EVERY),
        ('{orders: {where: {placedAt: {gte: "2026-03-03T00:00:00Z"}}, sum: {total: {eq: 400}}}}', YEN),
        ("{holder: {kind: {eq: ORGANISATION}}}", ["K-1010", "K-1020", "K-1030", "K-1040"]),
        ('{holder: {identifiers: {some: {value: {eq: "u8"}}}}}', ["K-1008"]),
        ('{holder: {contacts: {some: {role: {eq: "buyer"}, person: {name: {isNull: false}}}}}}', ["K-1010", "K-1020"]),
        ('{orders: {some: {lines: {every: {name: {startsWith: "Product"}}, count: {eq: 3}}, contact: {kind: {eq: PERSON}}}}}',
         ["K-1010", "K-1020", "K-1030"]),
    ],
)  # fmt: skip
async def test_relations_are_quantified_counted_and_summed(graph: Graph, filters: str, numbers: list[str]) -> None:
    assert await _numbers(graph, filters) == numbers


async def test_a_window_of_time_is_a_duration_back_from_now(graph: Graph) -> None:
    document = "query($window: Duration) { orders(filter: {placedAt: {withinLast: $window}}) { totalCount } }"
    counts = []
    for window in ("PT1M", "P100Y"):
        result = await graph.execute(document, {"window": window}, EVERYTHING)
        assert result.data is not None
        counts.append(result.data["orders"]["totalCount"])
    assert counts == [0, 80]
    for wrong in ("90 days", "P", "PT", "P1", "-P1D", "P1D; DROP TABLE customer"):
        result = await graph.execute(document, {"window": wrong}, EVERYTHING)
        assert result.errors[0]["extensions"]["code"] == "value_invalid"
        assert result.statements == 0


@pytest.mark.parametrize(
    ("field", "filters"),
    [
        ("Customer.email", '{email: {startsWith: "c1"}}'),
        ("Customer.name", '{not: {or: [{kind: {eq: PERSON}}, {name: {eq: "x"}}]}}'),
        ("Customer.identifiers", '{identifiers: {some: {value: {eq: "u1"}}}}'),
        ("LedgerEntry.amount", "{accounts: {some: {ledger: {sum: {amount: {gt: 1}}}}}}"),
    ],
)
async def test_nobody_filters_by_what_they_may_not_read(graph: Graph, field: str, filters: str) -> None:
    result = await graph.execute(f"{{ customers(filter: {filters}) {{ totalCount }} }}", {}, READER)
    assert result.data is None
    assert result.errors[0]["extensions"]["code"] == "scope_missing"
    assert result.errors[0]["extensions"]["field"].split(".")[0] in {field.split(".", maxsplit=1)[0], "Account"}
    assert result.statements == 0


async def test_nobody_orders_by_what_they_may_not_read(graph: Graph) -> None:
    result = await graph.execute("{ customers(orderBy: [{field: NAME}]) { totalCount } }", {}, READER)
    assert result.errors[0]["extensions"] == {"code": "scope_missing", "field": "Customer.name", "scope": "graph:pii"}


async def test_a_member_cannot_tell_other_accounts_by_filtering_on_relations(graph: Graph) -> None:
    buyer = member(3, 10, Role.BUYER)
    own = '{ orders(filter: {account: {number: {eq: "K-1010"}}}) { totalCount } }'
    foreign = '{ orders(filter: {account: {number: {ne: "K-1010"}}}) { totalCount } }'
    counts = [(await graph.execute(document, {}, buyer, today=TODAY)).data for document in (own, foreign)]
    assert counts == [{"orders": {"totalCount": 4}}, {"orders": {"totalCount": 0}}]
    contact = '{ orders(filter: {contact: {email: {startsWith: "c"}}}) { totalCount } }'
    assert (await graph.execute(contact, {}, buyer)).errors[0]["extensions"]["code"] == "closed_to_members"


async def test_a_filter_of_too_many_conditions_is_refused(graph: Graph) -> None:
    many = ", ".join("{kind: {eq: PERSON}}" for _ in range(201))
    result: Any = await graph.execute(f"{{ customers(filter: {{or: [{many}]}}) {{ totalCount }} }}", {}, EVERYTHING)
    assert result.errors[0]["extensions"] == {
        "code": "limit_exceeded",
        "limit": "conditions",
        "asked": 201,
        "most": 200,
    }


async def test_an_unknown_id_in_a_filter_finds_nothing(graph: Graph) -> None:
    document = "query($id: ID!) { customers(filter: {id: {eq: $id}}) { nodes { id } } }"
    for given, found in ((id_of("cus", "0001", 3), 1), (id_of("acc", "0004", 2), 0), ("nonsense", 0)):
        result = await graph.execute(document, {"id": given}, EVERYTHING)
        assert result.data is not None
        assert len(result.data["customers"]["nodes"]) == found


async def test_null_written_for_a_list_is_as_good_as_nothing(graph: Graph) -> None:
    document = "{ accounts(first: 1, filter: {and: null}, orderBy: null) { nodes { number } } }"
    result = await graph.execute(document, {}, EVERYTHING, today=TODAY)
    assert (result.data, result.errors) == ({"accounts": {"nodes": [{"number": "K-1002"}]}}, [])
