"""Failed messages in the graph: listed, filtered, read and told again by who may."""

from typing import Any

import pytest

from cdp.access.viewer import READ_SCOPES, Member, Role, Scope, Tool
from cdp.db.engine import connect
from cdp.db.ids import time_ordered_id
from cdp.schema import open_graph
from cdp.worker import drain
from tests.ingest.door import make_sender
from tests.worker.inbox import put, states

ADMIN = Tool(client_id="ops", scopes=READ_SCOPES | {Scope.ADMIN})
READER = Tool(client_id="desk", scopes=READ_SCOPES)
PLAIN = Tool(client_id="ops", scopes=frozenset({Scope.ADMIN, Scope.GRAPH_READ}))
MEMBER = Member(member_id=time_ordered_id(), account_id=time_ordered_id(), role=Role.CLIENT_ADMIN)

LIST = """query ($filter: FailedMessageFilter) {
  failedMessages(filter: $filter, first: 10) {
    totalCount nodes { messageId stage code error attempts source { name } body }
  }
}"""
REPLAY = """mutation ($input: FailedMessageReplayInput!) {
  failedMessageReplay(input: $input) { replayed userErrors { code field message } }
}"""
SENT = {
    "type": "track",
    "userId": "u1",
    "event": "Order Completed",
    "properties": {"order_id": "o1"},
    "messageId": "m1",
}


@pytest.fixture
def url(database_url: str) -> str:
    shop, till = make_sender(database_url, "shop"), make_sender(database_url, "till")
    put(database_url, shop.source_id, [SENT])
    put(database_url, till.source_id, [{"type": "page", "userId": "undefined", "messageId": "m2"}])
    drain(database_url)
    return database_url


async def test_they_are_listed_with_what_was_sent(url: str) -> None:
    async with open_graph(url, "cdp_app") as graph:
        asked = {"filter": {"source": {"name": {"eq": "shop"}}, "stage": {"eq": "project"}, "messageId": {"eq": "m1"}}}
        found = await graph.execute(LIST, asked, ADMIN)
        assert (found.errors, found.statements) == ([], 1)
        assert found.data == {
            "failedMessages": {
                "totalCount": 1,
                "nodes": [
                    {
                        "messageId": "m1",
                        "stage": "project",
                        "code": "currency_missing",
                        "error": "CurrencyMissing",
                        "attempts": 1,
                        "source": {"name": "shop"},
                        "body": SENT,
                    }
                ],
            }
        }
        everything = await graph.execute(LIST, {}, ADMIN)
        assert everything.data is not None
        assert {node["messageId"] for node in everything.data["failedMessages"]["nodes"]} == {"m1", "m2"}


async def test_they_are_for_operators_and_what_was_sent_for_those_who_may_read_people(url: str) -> None:
    async with open_graph(url, "cdp_app", writes=url) as graph:
        for viewer in (READER, MEMBER):
            for document in (LIST, REPLAY):
                refused = await graph.execute(document, {"input": {}} if document == REPLAY else {}, viewer)
                assert [error["extensions"]["code"] for error in refused.errors] in (
                    ["scope_missing"],
                    ["closed_to_members"],
                )
        found = await graph.execute(LIST, {}, PLAIN)
        assert [error["path"][-1] for error in found.errors] == ["body"]
    with connect(url) as connection:
        assert states(connection) == {"m1": "failed", "m2": "failed"}


async def test_they_are_told_again_and_nothing_is_doubled(url: str) -> None:
    async with open_graph(url, "cdp_app", writes=url) as graph:

        async def replay(**given: Any) -> Any:
            told = await graph.execute(REPLAY, {"input": given}, ADMIN)
            assert told.errors == []
            assert told.data is not None
            return told.data["failedMessageReplay"]

        wrong = await replay(stage="nowhere")
        assert (wrong["replayed"], wrong["userErrors"][0]["code"]) == (0, "stage_unknown")
        assert (await replay(source="till", code="currency_missing"))["replayed"] == 0
        with connect(url, autocommit=True) as connection:
            assert states(connection) == {"m1": "failed", "m2": "failed"}
            assert await replay(source="shop", messageId="m1") == {"replayed": 1, "userErrors": []}
            assert states(connection) == {"m1": "pending", "m2": "failed"}
            assert (await replay(messageId="m1"))["replayed"] == 0  # it waits already
            drain(url)
            assert connection.execute("SELECT message_id, attempts FROM failed_message ORDER BY 1").fetchall() == [
                ("m1", 2),
                ("m2", 1),
            ]
            assert connection.execute("SELECT count(*) FROM interaction").fetchone() == (1,)
