"""Managing webhooks by GraphQL: who may, what is shown once, what went wrong, and that the worker does as told."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from cdp.access.people import NewClient, create_client
from cdp.access.viewer import READ_SCOPES, Scope
from cdp.app import create_app
from cdp.db.engine import connect
from cdp.webhooks.endpoints import MOST_LIVE_SECRETS
from cdp.webhooks.targets import Targets
from tests.live import client, serve
from tests.webhooks.conftest import World
from tests.webhooks.receiver import Receiver, Reply

ENDPOINT = "id url host description kinds state disabledReason secrets { createdAt expiresAt }"
CREATE = f"""mutation($input: WebhookCreateInput!) {{ webhookCreate(input: $input) {{
    endpoint {{ {ENDPOINT} }} secret userErrors {{ code field message }} }} }}"""
UPDATE = f"""mutation($input: WebhookUpdateInput!) {{ webhookUpdate(input: $input) {{
    endpoint {{ {ENDPOINT} }} userErrors {{ code field message }} }} }}"""
DELETE = """mutation($input: WebhookDeleteInput!) { webhookDelete(input: $input) {
    deletedId userErrors { code field message } } }"""
ROTATE = f"""mutation($input: WebhookRotateSecretInput!) {{ webhookRotateSecret(input: $input) {{
    endpoint {{ {ENDPOINT} }} secret userErrors {{ code field message }} }} }}"""
REPLAY = """mutation($input: WebhookReplayInput!) { webhookReplay(input: $input) {
    endpoint { id replayingSince } delivery { id state } deadLetters userErrors { code field message } } }"""
TEST = """mutation($input: WebhookTestInput!) { webhookTest(input: $input) {
    delivery { id kind state } userErrors { code field message } } }"""
NOBODY = f"whe_{'0' * 32}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """An operator's tool beside a world."""

    http: httpx2.Client
    admin: NewClient
    reader: NewClient

    def ask(self, document: str, asking: NewClient | None = None, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        who = asking or self.admin
        token = self.http.post(
            "/idp/token", auth=(who.client_id, who.client_secret or ""), data={"grant_type": "client_credentials"}
        ).json()["access_token"]
        answer = self.http.post(
            "/graphql",
            json={"query": document, "variables": variables},
            headers={"authorization": f"Bearer {token}"},
        )
        found: dict[str, Any] = answer.json()
        return found

    def act(self, document: str, **given: Any) -> dict[str, Any]:
        """A mutation's payload."""
        answer = self.ask(document, input=given)
        assert "errors" not in answer, answer
        [payload] = answer["data"].values()
        made: dict[str, Any] = payload
        return made


@pytest.fixture
def console(world: World) -> Iterator[Console]:
    with connect(world.database_url, "cdp_app") as connection:
        admin = create_client(connection, name="Console", scopes=[*READ_SCOPES, Scope.ADMIN])
        reader = create_client(connection, name="Reader", scopes=READ_SCOPES)
    with serve(create_app(world.settings)) as url, client(url) as http:
        yield Console(http=http, admin=admin, reader=reader)


def test_an_endpoint_is_made_its_secret_shown_once_and_its_deliveries_tell_all(
    world: World, console: Console, receiver: Receiver
) -> None:
    receiver.behave = lambda _: (
        Reply(status=500, body=b"no") if len(receiver.received) == 1 else Reply(status=200, body=b"thanks")
    )
    made = console.act(CREATE, url=receiver.url, kinds=["order.*"], description="Warehouse")
    assert made["userErrors"] == []
    endpoint = made["endpoint"]
    assert made["secret"].startswith("whsec_")
    assert {name: endpoint[name] for name in ("url", "host", "description", "kinds", "state", "disabledReason")} == {
        "url": receiver.url,
        "host": f"127.0.0.1:{receiver.port}",
        "description": "Warehouse",
        "kinds": ["order.*"],
        "state": "ENABLED",
        "disabledReason": None,
    }
    assert [one["expiresAt"] for one in endpoint["secrets"]] == [None]
    world.tell("order.placed", "customer.changed")
    with world.delivering():
        world.settled(delivered=1)
    asked = """query($id: ID!) { webhookEndpoint(id: $id) { lastDeliveredAt failingSince deliveries(first: 5) { totalCount nodes {
        id kind state attemptCount nextAttemptAt lastStatus body endpoint { id }
        attempts { nodes { number outcome status milliseconds problem responseExcerpt } } } } } }"""
    found = console.ask(asked, id=endpoint["id"])["data"]["webhookEndpoint"]
    assert found["failingSince"] is None
    assert found["lastDeliveredAt"] is not None
    assert found["deliveries"]["totalCount"] == 1
    [delivery] = found["deliveries"]["nodes"]
    assert delivery["id"] == receiver.received[0].id
    assert delivery["body"].encode() == receiver.received[0].body
    assert [delivery[name] for name in ("kind", "state", "attemptCount", "nextAttemptAt", "lastStatus")] == [
        "order.placed",
        "DELIVERED",
        2,
        None,
        200,
    ]
    assert [
        {name: one[name] for name in ("number", "outcome", "problem", "responseExcerpt")}
        for one in delivery["attempts"]["nodes"]
    ] == [
        {"number": 2, "outcome": "DELIVERED", "problem": None, "responseExcerpt": "thanks"},
        {"number": 1, "outcome": "REFUSED", "problem": "Answered 500.", "responseExcerpt": "no"},
    ]
    by_id = console.ask(
        "query($id: ID!) { webhookDelivery(id: $id) { state } node(id: $id) { id } }", id=delivery["id"]
    )
    assert by_id["data"] == {"webhookDelivery": {"state": "DELIVERED"}, "node": {"id": delivery["id"]}}
    ((sealed,),) = world.rows("SELECT sealed FROM webhook_secret")
    assert made["secret"].encode() not in bytes(sealed)
    assert ("webhook_created", f"client:{console.admin.client_id}") in world.rows(
        "SELECT event, actor FROM audit_record"
    )


def test_addresses_answers_and_changes_are_for_administrators(world: World, console: Console) -> None:
    made = world.endpoint("https://hooks.example/T0KEN")
    answer = console.ask("{ webhookEndpoints { nodes { host state url } } }", console.reader)
    assert answer["data"]["webhookEndpoints"]["nodes"] == [{"host": "hooks.example", "state": "ENABLED", "url": None}]
    assert [error["extensions"]["scope"] for error in answer["errors"]] == ["admin"]
    before = world.rows("SELECT * FROM webhook_endpoint")
    for document, given in (
        (CREATE, {"url": "https://hooks.example"}),
        (UPDATE, {"id": NOBODY, "enabled": False}),
        (DELETE, {"id": f"whe_{made.endpoint_id.hex}"}),
        (ROTATE, {"id": NOBODY}),
        (REPLAY, {"deliveryId": NOBODY}),
        (TEST, {"id": NOBODY}),
    ):
        [error] = console.ask(document, console.reader, input=given)["errors"]
        assert (error["extensions"]["code"], error["extensions"]["scope"]) == ("scope_missing", "admin")
    assert world.rows("SELECT * FROM webhook_endpoint") == before


FORBIDDEN = [
    "http://169.254.169.254/latest/meta-data/",
    "http://10.0.0.8/",
    "http://[::1]:8000/",
    "http://[::ffff:169.254.169.254]/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "ftp://hooks.example/",
    "https://",
    "https://user:word@hooks.example/",
    "https://hooks.example/#top",
    "https://hooks.example/a b",
    "https://hooks.example:99999/",
    "https://" + "a" * 2000,
    "javascript:alert(1)",
]


def test_an_address_that_webhooks_may_not_go_to_is_refused_where_it_is_written(world: World, console: Console) -> None:
    for url in FORBIDDEN:
        made = console.act(CREATE, url=url)
        assert (made["endpoint"], made["secret"]) == (None, None)
        assert [(one["code"], one["field"]) for one in made["userErrors"]] == [("url_invalid", ["input", "url"])], url
    assert world.rows("SELECT count(*) FROM webhook_endpoint") == [(0,)]


def test_mistakes_are_told_where_they_are(console: Console) -> None:
    made = console.act(CREATE, url="https://hooks.example/")
    own = made["endpoint"]["id"]
    for document, given, code, field in (
        (
            CREATE,
            {"url": "https://hooks.example", "kinds": ["order.placed", "order.eaten"]},
            "kind_unknown",
            ["kinds", "1"],
        ),
        (CREATE, {"url": "https://hooks.example", "description": "x" * 1001}, "text_invalid", ["description"]),
        (UPDATE, {"id": NOBODY, "enabled": True}, "endpoint_not_found", ["id"]),
        (UPDATE, {"id": "nonsense"}, "not_an_id", ["id"]),
        (DELETE, {"id": NOBODY}, "endpoint_not_found", ["id"]),
        (ROTATE, {"id": own, "overlapHours": 721}, "overlap_invalid", ["overlapHours"]),
        (ROTATE, {"id": own, "overlapHours": -1}, "overlap_invalid", ["overlapHours"]),
        (REPLAY, {"id": own}, "since_missing", ["since"]),
        (REPLAY, {"deliveryId": f"whd_{'0' * 32}"}, "delivery_not_found", ["deliveryId"]),
        (REPLAY, {"deliveryId": own}, "not_an_id", ["deliveryId"]),
        (TEST, {"id": NOBODY}, "endpoint_not_found", ["id"]),
    ):
        [error] = console.act(document, **given)["userErrors"]
        assert (error["code"], error["field"]) == (code, ["input", *field])
        assert error["message"].endswith(".")


def test_while_secrets_overlap_either_verifies_and_afterwards_the_new_one_alone(
    world: World, console: Console, receiver: Receiver
) -> None:
    made = console.act(CREATE, url=receiver.url)
    endpoint = made["endpoint"]["id"]
    rotated = console.act(ROTATE, id=endpoint)
    assert rotated["secret"] != made["secret"]
    new, old = rotated["endpoint"]["secrets"]
    assert new["expiresAt"] is None
    assert timedelta(hours=23) < datetime.fromisoformat(old["expiresAt"]) - datetime.now(UTC) <= timedelta(hours=24)
    with world.delivering():
        world.tell("order.placed")
        (got,) = receiver.wait(1)
        assert len(got.headers["webhook-signature"].split()) == 2
        got.verified(made["secret"])
        got.verified(rotated["secret"])
        world.rows("UPDATE webhook_secret SET expires_at = now() WHERE expires_at IS NOT NULL RETURNING 1")
        world.tell("order.placed")
        *_, got = receiver.wait(2)
        got.verified(rotated["secret"])
        with pytest.raises(WebhookVerificationError):
            got.verified(made["secret"])
    at_once = console.act(ROTATE, id=endpoint, overlapHours=0)
    assert len(at_once["endpoint"]["secrets"]) == 1
    for _ in range(MOST_LIVE_SECRETS - 1):
        assert console.act(ROTATE, id=endpoint)["userErrors"] == []
    assert [one["code"] for one in console.act(ROTATE, id=endpoint)["userErrors"]] == ["too_many_secrets"]
    assert console.act(ROTATE, id=endpoint, overlapHours=0)["userErrors"] == []


def test_a_disabled_endpoint_gets_nothing_and_a_replay_what_it_missed(
    world: World, console: Console, receiver: Receiver
) -> None:
    endpoint = console.act(CREATE, url=receiver.url, kinds=["order.*"])["endpoint"]["id"]
    began = datetime.now(UTC).isoformat()
    with world.delivering():
        world.tell("order.placed")
        world.settled(delivered=1)
        disabled = console.act(UPDATE, id=endpoint, enabled=False)["endpoint"]
        assert (disabled["state"], disabled["disabledReason"]) == ("DISABLED", "BY_REQUEST")
        world.tell("order.changed", "account.changed")
        assert [one["code"] for one in console.act(REPLAY, id=endpoint, since=began)["userErrors"]] == [
            "endpoint_disabled"
        ]
        test = console.act(TEST, id=endpoint)["delivery"]
        assert test["kind"] == "webhook.test"
        receiver.wait(2)
        assert receiver.received[-1].told["type"] == "webhook.test"
        assert receiver.received[-1].id == test["id"]
        assert console.act(UPDATE, id=endpoint, enabled=True)["endpoint"]["state"] == "ENABLED"
        world.tell("order.status_changed")
        receiver.wait(3)
        assert console.act(REPLAY, id=endpoint, since=began)["userErrors"] == []
        receiver.wait(4)
        world.until(lambda: world.rows("SELECT count(*) FROM webhook_replay") == [(0,)])
        world.settled(delivered=4)
    assert [one.told["type"] for one in receiver.received] == [
        "order.placed",
        "webhook.test",
        "order.status_changed",
        "order.changed",
    ]


def test_a_replay_of_everything_sends_the_same_messages_again_and_one_delivery_alone_too(
    world: World, console: Console, receiver: Receiver
) -> None:
    world.tell("order.placed")  # before there was an endpoint
    endpoint = console.act(CREATE, url=receiver.url)["endpoint"]["id"]
    world.tell(*["order.changed"] * 3)
    with world.delivering():
        world.settled(delivered=3)
        first = set(receiver.ids)
        assert console.act(REPLAY, id=endpoint, since="2020-01-01T00:00:00Z", what="EVERYTHING")["userErrors"] == []
        receiver.wait(7)
        world.settled(delivered=4)
        again = receiver.ids[3:]
        assert len(again) == 4
        assert set(again) > first
        told = console.act(REPLAY, deliveryId=again[0])
        assert told["delivery"]["id"] == again[0]
        receiver.wait(8)
        assert receiver.ids[-1] == again[0]
        assert console.act(REPLAY, id=endpoint, since="2020-01-01T00:00:00Z")["userErrors"] == []
        world.until(lambda: world.rows("SELECT count(*) FROM webhook_replay") == [(0,)])
        world.settled(delivered=4)
    assert len(receiver.received) == 8  # nothing had been missed


def test_dead_letters_go_again_also_when_the_feed_has_forgotten_their_changes(
    world: World, console: Console, receiver: Receiver
) -> None:
    receiver.behave = lambda _: Reply(status=500)
    endpoint = console.act(CREATE, url=receiver.url)["endpoint"]["id"]
    world.tell("order.placed", "order.changed")
    with world.delivering():
        world.settled(dead=2)
        world.rows("UPDATE change SET changed_at = now() - interval '2 days' RETURNING 1")
        assert world.rows("SELECT prune_changes(1, 100)") == [(2,)]
        receiver.behave = lambda _: Reply()
        assert console.act(REPLAY, id=endpoint, since="2020-01-01T00:00:00Z")["deadLetters"] == 2
        world.settled(delivered=2)


def test_a_deleted_endpoint_gets_nothing_and_its_deliveries_are_forgotten(
    world: World, console: Console, receiver: Receiver
) -> None:
    endpoint = console.act(CREATE, url=receiver.url)["endpoint"]["id"]
    receiver.behave = lambda _: Reply(status=500)
    world.tell("order.placed")
    with world.delivering():
        receiver.wait(1)
        assert console.act(DELETE, id=endpoint) == {"deletedId": endpoint, "userErrors": []}
        world.until(lambda: world.states() == {})
    assert world.rows("SELECT count(*) FROM webhook_secret") == [(0,)]
    assert console.ask("query($id: ID!) { webhookEndpoint(id: $id) { id } }", id=endpoint)["data"] == {
        "webhookEndpoint": None
    }


def test_production_sends_by_https_only() -> None:
    targets = Targets(https_only=True)
    assert targets.problem("http://hooks.example/") == "must begin with https:// and name a host."
    assert targets.problem("https://hooks.example/") is None
