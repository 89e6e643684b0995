"""Mutations over HTTP: who may change what, what the payload shows right after, and that a refusal changes nothing."""

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from psycopg import Connection

from cdp.access.people import create_client
from cdp.access.viewer import READ_SCOPES, Member, Role, Scope, Tool
from cdp.app import create_app
from cdp.db.engine import connect
from cdp.db.ids import format_id, time_ordered_id
from cdp.events.interactions import InteractionRecord, record_interactions
from cdp.identify import merging, unmerging
from cdp.schema import open_graph
from cdp.schema.mutations import acting
from cdp.settings import Settings
from tests.identify.world import contents, draft, make_sources, tell
from tests.live import client, serve
from tests.schema.conftest import Door

MERGE = """mutation($input: CustomerMergeInput!) {
  customerMerge(input: $input) {
    customer { id name identifiers { nodes { value } } profiles { totalCount } merges { totalCount } }
    merge { id kind rule actor reason customerId otherCustomerIds customer { id } }
    preview { survivorId otherId profiles identifiers accounts orders interactions conflictingTraits }
    userErrors { message field code }
  }
}"""
UNMERGE = """mutation($input: CustomerUnmergeInput!) {
  customerUnmerge(input: $input) { customers { id profiles { totalCount } } userErrors { message field code } }
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The served application, a client that may write identity, and a way to make people."""

    door: Door
    connection: Connection[Any]
    sources: Mapping[str, UUID]
    reader: str
    writer: str

    def people(self, count: int = 2) -> list[str]:
        """New customers, oldest first, each with a user id, an e-mail address, traits and one contact."""
        ids = []
        for _ in range(count):
            name = f"p{time_ordered_id().hex}"
            key = f"user_id:{name}"
            told = {"key": key, "says": [f"email:{name}@example.org"], "traits": {"name": name, "city": "Oslo"}}
            tell(self.connection, [draft(self.sources, told, 0)])
            row = self.connection.execute(
                "SELECT customer_id, profile_id FROM profile_key WHERE value = %s", (name,)
            ).fetchone()
            assert row is not None
            contact = InteractionRecord(
                source_id=self.sources["web"],
                external_id=name,
                customer_id=row[0],
                profile_id=row[1],
                kind="page",
                channel="web",
                occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
            with self.connection.transaction():
                record_interactions(self.connection, [contact])
            ids.append(format_id("cus", row[0]))
        return ids

    def merge(self, *ids: str, token: str | None = None, **given: Any) -> dict[str, Any]:
        """The payload of customerMerge."""
        return payload(self.door.ask(MERGE, variables={"input": {"ids": ids, **given}}, token=token))

    def unmerge(self, merge_id: str, **given: Any) -> dict[str, Any]:
        """The payload of customerUnmerge."""
        return payload(self.door.ask(UNMERGE, variables={"input": {"mergeId": merge_id, **given}}))


def payload(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert "errors" not in body, body
    [found] = body["data"].values()
    made: dict[str, Any] = found
    return made


@pytest.fixture(scope="module")
def desk(shared_database_url: str, settings_for: Callable[..., Settings]) -> Iterator[Desk]:
    with connect(shared_database_url, "cdp_app") as connection:
        editor = create_client(connection, name="Desk", scopes=[*READ_SCOPES, Scope.IDENTITY_WRITE])
        reader = create_client(connection, name="Reader", scopes=READ_SCOPES)
        writer = create_client(connection, name="Writer", scopes=[Scope.GRAPH_READ, Scope.IDENTITY_WRITE])
        sources = make_sources(connection, ["web"])
    with (
        serve(create_app(settings_for())) as url,
        client(url) as http,
        connect(shared_database_url, autocommit=True) as connection,
    ):
        made = Door(url=url, http=http, tool=editor, narrow=reader, token="")
        door = Door(url=url, http=http, tool=editor, narrow=reader, token=made.token_of(editor))
        yield Desk(
            door=door,
            connection=connection,
            sources=sources,
            reader=made.token_of(reader),
            writer=made.token_of(writer),
        )


def test_two_customers_become_one_and_the_payload_shows_it(desk: Desk) -> None:
    older, newer = desk.people()
    told = desk.merge(newer, older, reason="Same person on the phone.")
    assert told["userErrors"] == []
    assert told["preview"] is None
    assert told["customer"]["id"] == older
    assert told["customer"]["profiles"] == {"totalCount": 2}
    assert told["customer"]["merges"] == {"totalCount": 1}
    assert len(told["customer"]["identifiers"]["nodes"]) == 4
    merge_id = told["merge"].pop("id")
    assert merge_id.startswith("mrg_")
    assert told["merge"] == {
        "kind": "MERGE",
        "rule": "MANUAL",
        "actor": f"client:{desk.door.tool.client_id}",
        "reason": "Same person on the phone.",
        "customerId": older,
        "otherCustomerIds": [newer],
        "customer": {"id": older},
    }
    asked = desk.door.ask("query($id: ID!) { customer(id: $id) { id } }", variables={"id": newer}).json()
    assert asked["data"]["customer"]["id"] == older


def test_an_unmerge_gives_both_back_with_their_ids_and_contacts_and_the_history_tells(desk: Desk) -> None:
    older, newer = desk.people()
    merge_id = desk.merge(older, newer)["merge"]["id"]
    told = desk.unmerge(merge_id, reason="Father and son.")
    assert told["userErrors"] == []
    assert {one["id"] for one in told["customers"]} == {older, newer}
    assert [one["profiles"]["totalCount"] for one in told["customers"]] == [1, 1]
    history = """query($id: ID!) { customer(id: $id) { id interactions { totalCount }
        merges { nodes { id kind rule reason otherCustomerIds } } } }"""
    for asked in (older, newer):
        found = desk.door.ask(history, variables={"id": asked}).json()["data"]["customer"]
        assert found["id"] == asked
        assert found["interactions"] == {"totalCount": 1}
        assert [(one["kind"], one["rule"], one["reason"]) for one in found["merges"]["nodes"]] == [
            ("SPLIT", "MANUAL", "Father and son."),
            ("MERGE", "MANUAL", None),
        ]
        assert found["merges"]["nodes"][1]["id"] == merge_id
    node = desk.door.ask("query($id: ID!) { node(id: $id) { ... on Merge { kind } } }", variables={"id": merge_id})
    assert node.json()["data"] == {"node": {"kind": "MERGE"}}


def test_a_preview_tells_and_changes_nothing(desk: Desk) -> None:
    older, newer = desk.people()
    before = contents(desk.connection)
    told = desk.merge(newer, older, preview=True)
    assert contents(desk.connection) == before
    assert told["merge"] is None
    assert told["userErrors"] == []
    assert told["customer"]["id"] == older
    assert told["preview"] == {
        "survivorId": older,
        "otherId": newer,
        "profiles": 1,
        "identifiers": 2,
        "accounts": 0,
        "orders": 0,
        "interactions": 1,
        "conflictingTraits": ["name"],
    }


def test_mistakes_are_told_where_they_are_and_nothing_changes(desk: Desk) -> None:
    older, newer = desk.people()
    nobody = format_id("cus", time_ordered_id())
    before = contents(desk.connection)
    for ids, given, code, field in (
        ((older,), {}, "two_customers", ["input", "ids"]),
        ((older, older), {}, "same_customer", ["input", "ids"]),
        ((older, nobody), {}, "customer_not_found", ["input", "ids", "1"]),
        (("nonsense", older), {}, "not_an_id", ["input", "ids", "0"]),
        ((older, newer), {"reason": "x" * 1001}, "text_invalid", ["input", "reason"]),
        ((older, newer), {"idempotencyKey": "\0"}, "text_invalid", ["input", "idempotencyKey"]),
    ):
        told = desk.merge(*ids, **given)
        [error] = told.pop("userErrors")
        assert (error["code"], error["field"]) == (code, field)
        assert error["message"].endswith(".")
        assert told == {"customer": None, "merge": None, "preview": None}
    for merge_id, code in ((format_id("mrg", time_ordered_id()), "merge_not_found"), (older, "not_an_id")):
        told = desk.unmerge(merge_id)
        assert told["customers"] == []
        assert [(one["code"], one["field"]) for one in told["userErrors"]] == [(code, ["input", "mergeId"])]
    assert contents(desk.connection) == before


def test_the_same_key_again_answers_the_same(desk: Desk) -> None:
    older, newer = desk.people()
    told = desk.merge(older, newer, idempotencyKey="once")
    before = contents(desk.connection)
    assert desk.merge(older, newer, idempotencyKey="once") == told
    assert contents(desk.connection) == before
    assert [one["code"] for one in desk.merge(older, newer)["userErrors"]] == ["already_merged"]


def test_without_the_scope_nothing_happens_and_the_error_names_it(desk: Desk) -> None:
    ids = desk.people()
    before = contents(desk.connection)
    for document, given in ((MERGE, {"ids": ids}), (UNMERGE, {"mergeId": format_id("mrg", time_ordered_id())})):
        body = desk.door.ask(document, variables={"input": given}, token=desk.reader).json()
        [error] = body["errors"]
        assert error["extensions"]["code"] == "scope_missing"
        assert error["extensions"]["scope"] == "identity:write"
    assert contents(desk.connection) == before


HALF = "accounts(first: 100) { nodes { orders(first: 50) { nodes { lines(first: 10) { nodes { name } } } } } }"
DEEP = "contacts { nodes { person { " * 11 + "id" + " } } }" * 11


@pytest.mark.parametrize(
    ("asked", "code", "path"),
    [
        ("customer { id email }", "scope_missing", ["customerMerge", "customer", "email"]),
        ("it: customer { orders(first: 101) { totalCount } }", "page_invalid", ["customerMerge"]),
        ('customer { orders(after: "no") { nodes { id } } }', "cursor_invalid", ["customerMerge"]),
        (f"customer {{ {DEEP} }}", "limit_exceeded", ["customerMerge"]),
        (f"a: customer {{ {HALF} }} b: customer {{ {HALF} }}", "limit_exceeded", ["customerMerge"]),
    ],
)
def test_a_payload_that_would_be_refused_is_refused_before_anything_is_written(
    desk: Desk, asked: str, code: str, path: list[str]
) -> None:
    ids = desk.people()
    before = contents(desk.connection)
    document = f"mutation($ids: [ID!]!) {{ customerMerge(input: {{ids: $ids}}) {{ {asked} userErrors {{ code }} }} }}"
    body = desk.door.ask(document, variables={"ids": ids}, token=desk.writer).json()
    assert [(one["extensions"]["code"], one["path"]) for one in body["errors"]] == [(code, path)]
    assert body["data"] == {"customerMerge": None}
    assert contents(desk.connection) == before


def test_mutations_go_by_post_only(desk: Desk) -> None:
    ids = desk.people()
    answer = desk.door.get(query="mutation { customerMerge(input: {ids: []}) { userErrors { code } } }")
    assert (answer.status_code, answer.json()["code"]) == (405, "only_queries")
    assert [one["code"] for one in desk.merge(ids[0])["userErrors"]] == ["two_customers"]


async def test_members_change_nothing_and_a_graph_for_reading_says_so(shared_database_url: str) -> None:
    member = Member(member_id=time_ordered_id(), account_id=time_ordered_id(), role=Role.CLIENT_ADMIN)
    tool = Tool(client_id="x", scopes=frozenset({Scope.IDENTITY_WRITE}))
    nobody = format_id("cus", time_ordered_id())
    async with open_graph(shared_database_url, "cdp_app") as graph:
        for viewer, code in ((member, "closed_to_members"), (tool, "nothing_changes_here")):
            result = await graph.execute(MERGE, {"input": {"ids": [nobody, nobody]}}, viewer)
            assert [error["extensions"]["code"] for error in result.errors] == [code]


async def test_a_staff_person_is_the_actor_and_the_payload_costs_a_statement_a_field(
    desk: Desk, shared_database_url: str
) -> None:
    ids = desk.people()
    scopes = frozenset({*READ_SCOPES, Scope.IDENTITY_WRITE})
    viewer = Tool(client_id="desk", scopes=scopes, acting_for="anna@example.org")
    async with open_graph(shared_database_url, "cdp_app", writes=shared_database_url) as graph:
        for is_checked in (False, True):
            result = await graph.execute(MERGE, {"input": {"ids": ids}}, viewer, checked=is_checked)
            assert result.errors == []
            assert result.data is not None
            merged = result.data["customerMerge"]
            assert merged["merge"]["actor"] == "anna@example.org"
            assert result.statements == 2
            undone = await graph.execute(
                UNMERGE, {"input": {"mergeId": merged["merge"]["id"]}}, viewer, checked=is_checked
            )
            assert undone.errors == []
            assert undone.data is not None
            assert {one["id"] for one in undone.data["customerUnmerge"]["customers"]} == set(ids)


# -- the documentation -------------------------------------------------------------------------------------------------------

DOCUMENT = (Path(__file__).parents[2] / "docs" / "merging.md").read_text(encoding="utf-8")
TOLD = ("cus_0192aaaaaaaa7000800000000000000a", "cus_0192aaaaaaaa7000800000000000000b")
TOLD_MERGE = "mrg_0192bbbbbbbb7000800000000000000c"


def test_the_documented_examples_are_answered_as_told_one_after_the_other(desk: Desk) -> None:
    for at, user, name, email in ((1, "ada", "Ada Berg", "ada"), (2, "aberg", "A. Berg", "a.berg")):
        said = {"key": f"user_id:{user}", "says": [f"email:{email}@example.org"], "traits": {"name": name}, "at": at}
        tell(desk.connection, [draft(desk.sources, said, at)])
    rows = desk.connection.execute("SELECT customer_id FROM profile_key WHERE value IN ('ada', 'aberg') ORDER BY 1")
    actual = dict(zip(TOLD, (format_id("cus", one) for (one,) in rows), strict=True))
    examples = re.findall(
        r"^```graphql\n(.*?)^```\n```json\n(.*?)```\n```json\n(.*?)```\n", DOCUMENT, re.MULTILINE | re.DOTALL
    )
    assert len(examples) == DOCUMENT.count("```graphql") == 4
    for document, variables, answer in examples:
        for told, one in actual.items():
            variables, answer = variables.replace(told, one), answer.replace(told, one)  # noqa: PLW2901 — as they are here
        found = desk.door.ask(document, variables=json.loads(variables)).json()
        made = (found["data"].get("customerMerge") or {}).get("merge")
        if made:
            actual[TOLD_MERGE] = made["id"]
            answer = answer.replace(TOLD_MERGE, made["id"])  # noqa: PLW2901
        assert found == json.loads(answer)


def test_every_code_is_documented() -> None:
    sources = [merging, unmerging, acting]
    codes = {code for one in sources for code in re.findall(r'code="([a-z_]+)"', inspect.getsource(one))}
    told = re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (`.*?) \|", DOCUMENT, re.MULTILINE)))
    assert codes == set(told)
