"""Decisions about identifiers, the history and the review queue, over HTTP; and `docs/review.md`, example by example."""

import inspect
import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cdp.access.viewer import READ_SCOPES, Member, Role, Scope, Tool
from cdp.db.ids import format_id, time_ordered_id
from cdp.identify import deciding, linking, quarantining, reviewing, valuing
from cdp.identify.findings import Finding, open_reviews
from cdp.schema import open_graph
from cdp.schema.mutations import acting
from tests.identify.world import contents, draft, tell
from tests.schema.test_mutations import Desk, desk, payload

__all__ = ["desk"]

LINK = """mutation($input: IdentifierLinkInput!) {
  identifierLink(input: $input) { customer { id } others { id } userErrors { message field code } } }"""
UNLINK = """mutation($input: IdentifierUnlinkInput!) {
  identifierUnlink(input: $input) { customer { id } others { id } userErrors { message field code } } }"""
BLOCK = """mutation($input: IdentifierBlockInput!) {
  identifierBlock(input: $input) { customers { id } userErrors { message field code } } }"""
UNBLOCK = """mutation($input: IdentifierUnblockInput!) {
  identifierUnblock(input: $input) { customers { id } userErrors { message field code } } }"""
ACCEPT = """mutation($input: ReviewAcceptInput!) { reviewAccept(input: $input) {
  review { id state decidedBy decidedAt reason merge { id } customers { id } } userErrors { message field code } } }"""
REFUSE = """mutation($input: ReviewRefuseInput!) { reviewRefuse(input: $input) {
  review { id state } userErrors { message field code } } }"""
ASSIGN = """mutation($input: ReviewAssignInput!) { reviewAssign(input: $input) {
  review { id isAssigned assignee { email } } userErrors { message field code } } }"""
WHY = """query($a: IdentifierInput!, $b: IdentifierInput!) { whyLinked(a: $a, b: $b) {
  customer { id } steps { kind origin { namespace value } target { value } source decision { rule actor reason } } } }"""
HISTORY = """query($id: ID!, $after: String) { customer(id: $id) { id identityHistory(first: 2, after: $after) {
  totalCount pageInfo { hasNextPage endCursor }
  nodes { kind at rule actor reason mergeId customerId otherCustomerIds profileIds identifiers { namespace value } } } } }"""


def ask(desk: Desk, document: str, **given: Any) -> dict[str, Any]:
    """The payload of a mutation."""
    return payload(desk.door.ask(document, variables={"input": given}))


def look(desk: Desk, document: str, **given: Any) -> Any:
    """The data of a query."""
    body = desk.door.ask(document, variables=given).json()
    assert "errors" not in body, body
    return body["data"]


def mail_of(desk: Desk, customer: str) -> dict[str, str]:
    """A customer's e-mail address, as an IdentifierInput."""
    document = 'query($id: ID!) { customer(id: $id) { identifiers(namespace: "email") { nodes { namespace value } } } }'
    found: dict[str, str] = look(desk, document, id=customer)["customer"]["identifiers"]["nodes"][0]
    return found


def proposed(desk: Desk, *customers: str) -> str:
    """A match in the queue."""
    ids = tuple(UUID(one.removeprefix("cus_")) for one in customers)
    finding = Finding(kind="match", customer_ids=ids, weight=5.5, explanation={"name": "alike"})
    assert open_reviews(desk.connection, [finding]) == 1
    return format_id("rev", finding.review_id)


# -- identifiers -------------------------------------------------------------------------------------------------------------


def test_link_and_unlink_answer_with_the_customer_and_the_history_tells_page_by_page(desk: Desk) -> None:
    [customer] = desk.people(1)
    phone = {"namespace": "phone", "value": "+34 600 000 042"}
    asked = {"customerId": customer, "identifier": phone, "reason": "Told us.", "idempotencyKey": "once"}
    for _ in range(2):
        assert ask(desk, LINK, **asked) == {"customer": {"id": customer}, "others": [], "userErrors": []}
    assert ask(desk, UNLINK, customerId=customer, identifier=phone)["customer"] == {"id": customer}
    ask(desk, LINK, customerId=customer, identifier=phone)
    first = look(desk, HISTORY, id=customer)["customer"]["identityHistory"]
    assert first["totalCount"] == 3
    assert first["pageInfo"]["hasNextPage"]
    rest = look(desk, HISTORY, id=customer, after=first["pageInfo"]["endCursor"])["customer"]["identityHistory"]
    told = [*first["nodes"], *rest["nodes"]]
    assert [one["kind"] for one in told] == ["LINK", "UNLINK", "LINK"]
    assert told[2] == {
        "kind": "LINK",
        "at": told[2]["at"],
        "rule": None,
        "actor": f"client:{desk.door.tool.client_id}",
        "reason": "Told us.",
        "mergeId": None,
        "customerId": customer,
        "otherCustomerIds": [],
        "profileIds": [],
        "identifiers": [{"namespace": "phone", "value": "+34600000042"}],
    }


def test_a_merge_in_the_history_names_what_moved_and_every_id_leads_there(desk: Desk) -> None:
    older, newer = desk.people()
    mail = mail_of(desk, newer)
    merge_id = desk.merge(older, newer)["merge"]["id"]
    for asked in (older, newer):
        found = look(desk, HISTORY, id=asked)["customer"]
        assert found["id"] == older
        [told] = found["identityHistory"]["nodes"]
        assert (told["kind"], told["rule"], told["mergeId"]) == ("MERGE", "MANUAL", merge_id)
        assert (told["customerId"], told["otherCustomerIds"]) == (older, [newer])
        assert mail in told["identifiers"]
        assert len(told["profileIds"]) == 1
    both = "query($a: ID!, $ids: [ID!]!) { node(id: $a) { id } nodes(ids: $ids) { ... on Customer { id } } }"
    assert look(desk, both, a=newer, ids=[newer, older]) == {"node": {"id": older}, "nodes": [{"id": older}] * 2}
    fed = desk.connection.execute(
        "SELECT data ->> 'from', data ->> 'into' FROM change WHERE kind = 'customer.merged' ORDER BY transaction_id DESC LIMIT 1"
    ).fetchone()
    assert fed == (newer, older)
    path = look(desk, WHY, a=mail, b=mail_of(desk, older))["whyLinked"]
    assert path["customer"] == {"id": older}
    assert [one["kind"] for one in path["steps"]] == ["CLAIM", "DECISION", "CLAIM"]
    assert path["steps"][1]["decision"] == {
        "rule": "MANUAL",
        "actor": f"client:{desk.door.tool.client_id}",
        "reason": None,
    }
    desk.unmerge(merge_id)
    assert look(desk, WHY, a=mail, b=mail_of(desk, older)) == {"whyLinked": None}


def test_a_value_is_blocked_and_unblocked_and_the_feed_tells(desk: Desk) -> None:
    [customer] = desk.people(1)
    mail = mail_of(desk, customer)
    assert ask(desk, BLOCK, identifier=mail) == {"customers": [{"id": customer}], "userErrors": []}
    kinds = desk.connection.execute("SELECT kind FROM change ORDER BY transaction_id DESC, seq DESC LIMIT 2").fetchall()
    assert {kind for (kind,) in kinds} == {"identifier.unlinked", "customer.changed"}
    assert look(desk, WHY, a=mail, b=mail) == {"whyLinked": None}
    assert ask(desk, UNBLOCK, identifier=mail) == {"customers": [{"id": customer}], "userErrors": []}
    assert look(desk, WHY, a=mail, b=mail)["whyLinked"]["customer"] == {"id": customer}


def test_mistakes_are_told_where_they_are_and_nothing_changes(desk: Desk) -> None:
    [customer] = desk.people(1)
    before = contents(desk.connection)
    mail = {"namespace": "email", "value": "nobody@example.org"}
    long = {"namespace": "email", "value": "x" * 1001}
    unknown = format_id("rev", time_ordered_id())
    for document, given, code, field in (
        (LINK, {"customerId": "nonsense", "identifier": mail}, "not_an_id", "customerId"),
        (LINK, {"customerId": customer, "identifier": long}, "text_invalid", "identifier"),
        (LINK, {"customerId": customer, "identifier": mail_of(desk, customer)}, "already_linked", "identifier"),
        (UNLINK, {"customerId": customer, "identifier": mail}, "not_linked", "identifier"),
        (UNLINK, {"customerId": customer, "identifier": mail, "reason": "\0"}, "text_invalid", "reason"),
        (BLOCK, {"identifier": {"namespace": "email", "value": "null"}}, "identifier_invalid", "identifier"),
        (UNBLOCK, {"identifier": mail}, "not_blocked", "identifier"),
        (ACCEPT, {"id": unknown}, "review_not_found", "id"),
        (REFUSE, {"id": customer}, "not_an_id", "id"),
        (ASSIGN, {"id": unknown, "email": None}, "review_not_found", "id"),
    ):
        told = ask(desk, document, **given)
        [error] = told.pop("userErrors")
        assert (error["code"], error["field"]) == (code, ["input", field])
        assert error["message"].endswith(".")
        assert all(not each for each in told.values())
    assert contents(desk.connection) == before


# -- the queue ---------------------------------------------------------------------------------------------------------------


def test_a_match_is_accepted_and_undone_by_its_merge(desk: Desk) -> None:
    older, newer = desk.people()
    review = proposed(desk, newer, older)
    told = ask(desk, ACCEPT, id=review, reason="Same birthday.")["review"]
    assert (told["state"], told["reason"], told["customers"]) == ("ACCEPTED", "Same birthday.", [{"id": older}])
    assert ask(desk, ACCEPT, id=review)["review"] == told, "twice is once"
    assert [one["code"] for one in ask(desk, REFUSE, id=review)["userErrors"]] == ["already_merged"]
    assert {one["id"] for one in desk.unmerge(told["merge"]["id"])["customers"]} == {older, newer}
    assert ask(desk, REFUSE, id=review)["review"]["state"] == "REFUSED"


def test_the_queue_is_filtered_ordered_and_paged(desk: Desk) -> None:
    desk.connection.execute("DELETE FROM review")
    desk.connection.execute("INSERT INTO staff (email, name) VALUES ('eva@example.org', 'Eva') ON CONFLICT DO NOTHING")
    people = desk.people(4)
    reviews = [proposed(desk, people[0], one) for one in people[1:]]
    for review, weight in zip(reviews, (1.0, 3.0, 2.0), strict=True):
        given = {"weight": weight, "id": review.removeprefix("rev_")}
        desk.connection.execute("UPDATE review SET weight = %(weight)s WHERE review_id = %(id)s", given)
    assert ask(desk, ASSIGN, id=reviews[1], email="EVA@example.org")["review"]["assignee"] == {
        "email": "eva@example.org"
    }
    page = """query($filter: ReviewFilter, $order: [ReviewOrder!], $after: String) {
      reviews(filter: $filter, orderBy: $order, first: 2, after: $after) {
        totalCount pageInfo { endCursor } nodes { id weight explanation } } }"""
    first = look(desk, page)["reviews"]
    assert (first["totalCount"], [one["id"] for one in first["nodes"]]) == (3, reviews[:2])
    assert first["nodes"][0]["explanation"] == {"name": "alike"}
    rest = look(desk, page, after=first["pageInfo"]["endCursor"])["reviews"]
    assert [one["id"] for one in rest["nodes"]] == reviews[2:]
    by_weight = look(desk, page, order=[{"field": "WEIGHT", "direction": "DESC"}])["reviews"]
    assert [one["weight"] for one in by_weight["nodes"]] == [3.0, 2.0]
    order = [{"field": "WEIGHT", "direction": "DESC"}]
    by_weight = look(desk, page, order=order, after=by_weight["pageInfo"]["endCursor"])["reviews"]
    assert [one["weight"] for one in by_weight["nodes"]] == [1.0]
    for only, found in (
        ({"assignee": {"email": {"eq": "eva@example.org"}}}, [reviews[1]]),
        ({"isAssigned": {"eq": True}}, [reviews[1]]),
        ({"kind": {"eq": "SHARED"}}, []),
        ({"id": {"in": [reviews[2]]}, "state": {"eq": "OPEN"}}, [reviews[2]]),
    ):
        assert [one["id"] for one in look(desk, page, filter=only)["reviews"]["nodes"]] == found
    node = "query($id: ID!) { node(id: $id) { ... on Review { state } } }"
    assert look(desk, node, id=reviews[0]) == {"node": {"state": "OPEN"}}


async def test_who_may_not_is_told_so_and_both_modes_agree(desk: Desk, shared_database_url: str) -> None:
    [customer] = desk.people(1)
    mail = mail_of(desk, customer)
    member = Member(member_id=time_ordered_id(), account_id=time_ordered_id(), role=Role.CLIENT_ADMIN)
    reader = Tool(client_id="x", scopes=frozenset({Scope.GRAPH_READ}))
    every = Tool(client_id="y", scopes=frozenset({*READ_SCOPES, Scope.IDENTITY_WRITE}))
    asked: tuple[tuple[str, dict[str, Any]], ...] = (
        (WHY, {"a": mail, "b": mail}),
        (LINK, {"input": {"customerId": customer, "identifier": mail}}),
        (UNLINK, {"input": {"customerId": customer, "identifier": mail}}),
        (BLOCK, {"input": {"identifier": mail}}),
        (UNBLOCK, {"input": {"identifier": mail}}),
        (ACCEPT, {"input": {"id": customer}}),
        (REFUSE, {"input": {"id": customer}}),
        (ASSIGN, {"input": {"id": customer}}),
    )
    before = contents(desk.connection)
    async with open_graph(shared_database_url, "cdp_app", writes=shared_database_url) as graph:
        for document, given in asked:
            for viewer, code in ((member, "closed_to_members"), (reader, "scope_missing")):
                result = await graph.execute(document, given, viewer)
                assert [error["extensions"]["code"] for error in result.errors] == [code]
        queue = "{ reviews { nodes { id kind state value customers { id } explanation foundAt } } }"
        result = await graph.execute(queue, None, member)
        assert [error["extensions"]["code"] for error in result.errors] == ["closed_to_members"]
        for document, variables in ((queue, None), (WHY, {"a": mail, "b": mail}), (HISTORY, {"id": customer})):
            plain = await graph.execute(document, variables, every)
            checked = await graph.execute(document, variables, every, checked=True)
            assert plain.errors == checked.errors == []
            assert plain.data == checked.data
    assert contents(desk.connection) == before


# -- the documentation -------------------------------------------------------------------------------------------------------

DOCUMENT = (Path(__file__).parents[2] / "docs" / "review.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(
    r"^```graphql\n(.*?)^```\n```json\n(.*?)```\n```json\n(.*?)```\n", DOCUMENT, re.MULTILINE | re.DOTALL
)
TILL = ["email:till@shop.example"]
STORY: tuple[dict[str, Any], ...] = (
    {
        "key": "user_id:ada.berg",
        "says": ["email:ada.berg@example.org", "phone:600111222"],
        "traits": {"name": "Ada Berg"},
        "message": "web-17",
    },
    {"key": "loyalty_id:L-7", "says": ["phone:600111222"], "traits": {"name": "Maria Berg"}, "message": "web-18"},
    {"key": "till_id:1", "says": TILL, "traits": {"name": "Till one"}},
    {"key": "till_id:2", "says": TILL, "traits": {"name": "Till two"}},
    {"key": "user_id:bea", "says": ["email:family@example.org"], "traits": {"name": "Bea"}},
    {"key": "user_id:ben", "says": ["email:family@example.org"], "traits": {"name": "Ben"}},
)
TOLD = {
    "cus_0192aaaaaaaa7000800000000000000a": "ada.berg",
    "cus_0192aaaaaaaa7000800000000000000b": "L-7",
    "cus_0192aaaaaaaa7000800000000000000c": "1",
    "cus_0192aaaaaaaa7000800000000000000d": "2",
}
TOLD_REVIEW = "rev_0192dddddddd7000800000000000000e"


def as_here(desk: Desk, text: str) -> str:
    """An example with the ids that its customers and its review have here."""
    keys = dict(desk.connection.execute("SELECT value, customer_id FROM profile_key").fetchall())
    for told, key in TOLD.items():
        text = text.replace(told, format_id("cus", keys[key]))
    row = desk.connection.execute("SELECT review_id FROM review WHERE value = 'family@example.org'").fetchone()
    assert row is not None
    return text.replace(TOLD_REVIEW, format_id("rev", row[0]))


def test_the_documented_examples_are_answered_as_told_one_after_the_other(desk: Desk) -> None:
    desk.connection.execute("DELETE FROM review")
    desk.connection.execute("INSERT INTO staff (email, name) VALUES ('bo@example.org', 'Bo') ON CONFLICT DO NOTHING")
    for number, told in enumerate(STORY, start=1):
        tell(desk.connection, [draft(desk.sources, {"at": number, **told}, number)])
    assert len(EXAMPLES) == DOCUMENT.count("```graphql") == 8
    for document, variables, answer in EXAMPLES:
        found = desk.door.ask(document, variables=json.loads(as_here(desk, variables))).json()
        assert found == json.loads(as_here(desk, answer))


def test_every_code_is_documented() -> None:
    rooms = [deciding, linking, valuing, reviewing, quarantining, acting]
    codes = {
        code for one in rooms for code in re.findall(r'(?:code=|_mistake\(\s*)"([a-z_]+)"', inspect.getsource(one))
    }
    told = re.findall(
        r"`([a-z_]+)`", "".join(re.findall(r"^\| (`.*?) \|", DOCUMENT.split("## Mistakes")[1], re.MULTILINE))
    )
    assert codes == set(told)


@pytest.mark.parametrize("word", ["reviewAccept", "identifierUnblock"])
def test_what_has_no_example_is_in_the_contract(word: str) -> None:
    assert f"  {word}(" in (Path(__file__).parents[2] / "schema.graphql").read_text(encoding="utf-8")
