"""Following the graph over a real socket: what is told at the tracking door arrives as an event with its selection."""

import asyncio
import time
from typing import Any

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from websockets.exceptions import ConnectionClosed

from cdp.access.people import create_client
from cdp.access.sealing import unseal
from cdp.access.viewer import READ_SCOPES, Scope
from cdp.db.engine import connect
from cdp.graph import runtime
from tests.feed.conftest import World, order, person

CUSTOMERS = "subscription { customerChanged { kind customer { name } } }"


async def told(world: World, *messages: dict[str, Any]) -> None:
    await asyncio.to_thread(world.tell, *messages)


async def asked(world: World, query: str, **variables: Any) -> Any:
    return await asyncio.to_thread(lambda: world.ask(query, **variables))


async def read_on(socket: Any) -> None:
    while True:
        await socket.next()


async def closed(socket: Any) -> tuple[int, str]:
    """Code and reason that the server closes with, whatever it sends before."""
    with pytest.raises(ConnectionClosed) as caught:
        await read_on(socket)
    received = caught.value.rcvd
    assert received is not None
    return received.code, received.reason


async def test_what_is_told_at_the_door_arrives_with_its_selection(world: World) -> None:
    query = """subscription Follow($first: Int) { customerChanged {
        __typename cursor at kind
        who: customer { id kind name ...more accounts(first: $first) { totalCount nodes { number } } } } }
        fragment more on Customer { orders(first: 1) { nodes { number total { amount currency } } } }"""
    async with world.socket() as socket:
        await socket.subscribe(query, first=2)
        await socket.settled()
        await told(world, person("ana", name="Ana"))
        event = await socket.event()
    customer = (await asked(world, "{ customers { nodes { id } } }"))["customers"]["nodes"][0]
    assert list(event) == ["__typename", "cursor", "at", "kind", "who"]
    assert event["__typename"] == "CustomerChange"
    assert event["kind"] == "CREATED"
    assert event["who"] == {
        "id": customer["id"],
        "kind": "PERSON",
        "name": "Ana",
        "orders": {"nodes": []},
        "accounts": {"totalCount": 0, "nodes": []},
    }


async def test_an_event_arrives_within_a_second(world: World) -> None:
    async with world.socket() as socket:
        await socket.subscribe(CUSTOMERS)
        await socket.settled()
        began = time.monotonic()
        await asyncio.gather(told(world, person("ana", name="Ana")), socket.event())
        assert time.monotonic() - began < 2


async def test_one_customer_is_followed_into_whom_it_becomes_part_of(world: World) -> None:
    await told(world, person("ana", name="Ana"), person("ben", name="Ben"))
    await told(world, {"type": "page", "anonymousId": "a1"})  # a younger customer, so that it is the one merged away
    rows = dict(await asyncio.to_thread(world.rows, "SELECT key_value, customer_id FROM profile"))
    query = "subscription ($id: ID) { customerChanged(id: $id) { kind customer { id name } } }"
    async with world.socket() as socket:
        await socket.subscribe(query, id=f"cus_{rows['a1'].hex}")
        await socket.settled()
        await told(world, person("ben", name="Benjamin"))
        await told(world, {"type": "identify", "userId": "ana", "anonymousId": "a1"})
        survivor = {"id": f"cus_{rows['ana'].hex}", "name": "Ana"}
        assert await socket.event() == {"kind": "MERGED", "customer": survivor}
        assert (await socket.event())["kind"] == "IDENTIFIER_LINKED"
        await told(world, {**person("ana", name="Ana Ruiz"), "timestamp": "2026-03-02T10:00:00Z"})
        assert await socket.event() == {"kind": "CHANGED", "customer": survivor | {"name": "Ana Ruiz"}}
        assert await socket.is_silent()


async def test_a_filter_lets_through_only_whom_it_matches_then(world: World) -> None:
    query = """subscription ($filter: CustomerFilter) {
        customerChanged(filter: $filter) { kind customer { name orders { totalCount } } } }"""
    buyers = {"orders": {"count": {"gte": 1}}}
    async with world.socket() as socket:
        await socket.subscribe(query, filter={"name": {"startsWith": "A"}})
        await socket.subscribe(query, number="2", filter=buyers)
        await socket.settled()
        await told(world, person("ben", name="Ben"), person("ana", name="Ana"))
        assert await socket.event() == {"kind": "CREATED", "customer": {"name": "Ana", "orders": {"totalCount": 0}}}
        await told(world, order("o1", "ben"), {**person("ben", name="Benjamin"), "timestamp": "2026-03-02T10:00:00Z"})
        message = await socket.next()
        assert (message["id"], message["payload"]["data"]["customerChanged"]) == (
            "2",
            {"kind": "CHANGED", "customer": {"name": "Benjamin", "orders": {"totalCount": 1}}},
        )
        assert await socket.is_silent()


async def test_orders_are_followed_by_account_from_placed_to_cancelled(world: World) -> None:
    await told(world, order("o0", "ana"))
    account = (await asked(world, "{ accounts { nodes { id } } }"))["accounts"]["nodes"][0]["id"]
    query = """subscription ($account: ID) { orderStatusChanged(accountId: $account) {
        before after order { number status total { amount } customer { name } } } }"""
    async with world.socket() as socket:
        await socket.subscribe(query, account=account)
        await socket.settled()
        await told(world, order("o2", "ben"), order("o1", "ana"))
        shown = {"number": "o1", "status": "PLACED", "total": {"amount": "5.00"}, "customer": {"name": None}}
        assert await socket.event() == {"before": None, "after": "PLACED", "order": shown}
        await told(world, order("o1", "ana", "Order Cancelled"))
        shown["status"] = "CANCELLED"
        assert await socket.event() == {"before": "PLACED", "after": "CANCELLED", "order": shown}
        assert await socket.is_silent()


async def test_a_follower_comes_back_and_has_missed_nothing(world: World) -> None:
    query = "subscription ($after: String) { customerChanged(after: $after) { cursor customer { name } } }"
    async with world.socket() as socket:
        await socket.subscribe(query)
        await socket.settled()
        await told(world, person("ana", name="Ana"))
        first = await socket.event()
    await told(world, *(person(f"u{number}", name=f"Name {number}") for number in range(5)))
    async with world.socket() as socket:
        await socket.subscribe(query, after=first["cursor"])
        missed = [await socket.event() for _ in range(5)]
        await told(world, person("new", name="New"))
        missed.append(await socket.event())
        assert await socket.is_silent()
    names = [one["customer"]["name"] for one in missed]
    assert (sorted(names[:5]), names[5:]) == ([f"Name {number}" for number in range(5)], ["New"])
    async with world.socket() as socket:
        await socket.subscribe(query, after=missed[2]["cursor"])
        assert [await socket.event() for _ in range(3)] == missed[3:]


async def test_a_listener_that_lost_its_connection_listens_again(world: World) -> None:
    async with world.socket() as socket:
        await socket.subscribe(CUSTOMERS)
        await socket.settled()
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN change'"
        assert set(await asyncio.to_thread(world.rows, ended)) == {(True,)}  # webhooks listen, too
        await told(world, person("ana", name="Ana"))
        assert (await socket.event())["customer"] == {"name": "Ana"}


async def test_one_who_does_not_read_is_dropped_and_told_why(world: World) -> None:
    world.application.state.feed.most_waiting = 3
    wide = " ".join(f"t{number}: traits" for number in range(20))
    query = f"subscription {{ customerChanged {{ cursor customer {{ name {wide} }} }} }}"
    async with world.socket(max_queue=1, compression=None) as slow, world.socket() as quick:
        await slow.subscribe(query)
        await quick.subscribe(CUSTOMERS)
        await slow.settled()
        for number in range(60):
            at = f"2026-03-02T10:00:{number:02}Z"
            await told(world, {**person("ana", name=f"Ana {number}", about="x" * 25_000), "timestamp": at})
            assert (await quick.event())["customer"]["name"] == f"Ana {number}"
        code, reason = await closed(slow)
    assert (code, reason) == (
        4430,
        "Too slow: more events wait than are kept. Connect again and go on after your last cursor.",
    )


async def test_without_a_good_token_nobody_gets_in(world: World) -> None:
    for payload, said in [
        ({}, "Send an access token: `Authorization: Bearer …`."),
        ({"authorization": "Bearer nonsense"}, "The access token is not valid"),
        ({"authorization": 7}, "Send an access token: `Authorization: Bearer …`."),
    ]:
        async with world.bare_socket() as socket:
            await socket.send(type="connection_init", payload=payload)
            code, reason = await closed(socket)
            assert code == 4401
            assert reason.startswith(said)
    async with world.bare_socket() as socket:
        await socket.subscribe(CUSTOMERS)
        assert await closed(socket) == (4401, "Unauthorized")


async def test_an_expired_token_is_named_so(world: World) -> None:
    (sealed,) = world.rows("SELECT sealed_private_jwk FROM signing_key")[0]
    plain = unseal("s" * 48, "signing key", bytes(sealed))
    assert plain is not None
    key = RSAKey.import_key(orjson.loads(plain))
    claims = jwt.decode(await asyncio.to_thread(world.token), key, algorithms=["RS256"]).claims
    header = {"alg": "RS256", "typ": "at+jwt", "kid": key.kid}
    stale = jwt.encode(header, {**claims, "exp": int(time.time()) - 3600}, key, algorithms=["RS256"])
    async with world.bare_socket() as socket:
        await socket.send(type="connection_init", payload={"authorization": f"Bearer {stale}"})
        code, reason = await closed(socket)
    assert code == 4401
    assert "expired" in reason


async def test_an_event_costs_one_statement_whatever_is_selected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    run = runtime.run_statement

    async def counted(context: Any, sql: str, parameters: list[Any], **options: Any) -> Any:
        sent.append(sql)
        return await run(context, sql, parameters, **options)

    monkeypatch.setattr(runtime, "run_statement", counted)
    query = """subscription { customerChanged { kind customer {
        name identifiers { nodes { namespace } } orders { nodes { lines { nodes { name } } account { number } } } } } }"""
    async with world.socket() as socket:
        await socket.subscribe(query)
        await socket.settled()
        await told(world, person("ana", name="Ana"), person("ben", name="Ben"))
        assert [(await socket.event())["kind"] for _ in range(2)] == ["CREATED", "CREATED"]
    assert len(sent) == 2
    assert sent[0] == sent[1]


async def test_the_handshake_may_bring_the_token(world: World) -> None:
    token = await asyncio.to_thread(world.token)
    async with world.bare_socket(additional_headers={"authorization": f"Bearer {token}"}) as socket:
        await socket.send(type="connection_init")
        assert await socket.next() == {"type": "connection_ack"}


async def test_nothing_more_is_sent_once_the_token_is_revoked(world: World) -> None:
    token = await asyncio.to_thread(world.token)
    async with world.socket(token) as socket:
        await socket.subscribe(CUSTOMERS)
        await socket.settled()
        auth = (world.tool.client_id, world.tool.client_secret or "")
        answer = await asyncio.to_thread(lambda: world.http.post("/idp/revoke", auth=auth, data={"token": token}))
        assert answer.status_code == 200
        await asyncio.sleep(2.5)  # a revocation is known everywhere within two seconds
        await told(world, person("ana", name="Ana"))
        code, reason = await closed(socket)
    assert code == 4401
    assert reason == "The access token is not valid: it was revoked."


async def test_scopes_are_asked_for_when_subscribing_and_when_filtering_and_at_each_field(world: World) -> None:
    def refusal(field: str, scope: str) -> dict[str, Any]:
        return {"code": "scope_missing", "field": field, "scope": scope}

    narrow = await asyncio.to_thread(world.token, world.narrow)
    async with world.socket(narrow) as socket:
        await socket.subscribe(CUSTOMERS)
        message = await socket.next()
        assert (message["type"], message["id"]) == ("error", "1")
        (error,) = message["payload"]
        assert error["extensions"] == refusal("Subscription.customerChanged", "feed:read")
        await socket.subscribe("subscription { orderStatusChanged { after } }", number="2")
        (error,) = (await socket.next())["payload"]
        assert error["extensions"] == refusal("Subscription.orderStatusChanged", "feed:read")
    for_feed = await asyncio.to_thread(feed_only, world)
    async with world.socket(for_feed) as socket:
        await socket.subscribe('subscription { customerChanged(filter: {name: {eq: "Ana"}}) { kind } }', number="1")
        (error,) = (await socket.next())["payload"]
        assert error["extensions"] == refusal("Customer.name", "graph:pii")
        await socket.subscribe(CUSTOMERS, number="2")
        await socket.settled()
        await told(world, person("ana", name="Ana"))
        payload = (await socket.next())["payload"]
        assert payload["data"] == {"customerChanged": {"kind": "CREATED", "customer": {"name": None}}}
        (error,) = payload["errors"]
        assert error["path"] == ["customerChanged", "customer", "name"]
        assert error["extensions"] == refusal("Customer.name", "graph:pii")


def feed_only(world: World) -> str:
    """A token of a tool that may follow and read, but nothing personal."""
    with connect(world.database_url, "cdp_app") as connection:
        made = create_client(connection, name="Mirror", scopes=[Scope.FEED_READ, Scope.GRAPH_READ])
    return world.token(made)


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        (
            'subscription { customerChanged(id: "ord_1") { kind } }',
            "value_invalid",
            "Subscription.customerChanged(id:) is not valid: an id of this type looks like cus_",
        ),
        (
            'subscription { customerChanged(after: "AAAA") { kind } }',
            "cursor_invalid",
            "This is not a cursor of this feed; take one from the feed, or begin without.",
        ),
        (
            "subscription { customerChanged { kind secret } }",
            "graphql_invalid",
            "Cannot query field 'secret' on type 'CustomerChange'.",
        ),
        (
            "{ " + "viewer { kind } " * 1_000 + "}",
            "limit_exceeded",
            "This operation asks for 4002 tokens; at most 2000 are allowed.",
        ),
        ("{ viewer { kind } }" + "#" * 40_000, "limit_exceeded", "This operation asks for 40019 bytes in its document"),
    ],
)
async def test_a_wrong_question_is_refused_with_its_code(world: World, query: str, code: str, message: str) -> None:
    async with world.socket() as socket:
        await socket.subscribe(query)
        refused = await socket.next()
        assert (refused["type"], refused["id"]) == ("error", "1")
        (error,) = refused["payload"]
        assert error["message"].startswith(message)
        assert error["extensions"]["code"] == code
        await socket.subscribe("{ viewer { clientId } }")  # the connection goes on, and queries are welcome
        assert await socket.event() == {"clientId": world.tool.client_id}


async def test_a_client_that_is_held_to_trusted_documents_runs_no_other(world: World) -> None:
    with connect(world.database_url, "cdp_app") as connection:
        held = create_client(connection, name="Held", scopes=READ_SCOPES, trusted_only=True)
    await asyncio.sleep(2.1)  # what is withheld is read every two seconds
    async with world.socket(world.token(held)) as socket:
        await socket.subscribe("subscription { customerChanged { kind } }")
        refused = await socket.next()
        assert refused["payload"][0]["extensions"] == {"code": "document_not_trusted"}


async def test_what_is_not_the_protocol_ends_the_connection(world: World) -> None:
    for said, code in [
        ("[]", 4400),
        ("{", 4400),
        ('{"type":"subscribe","id":{},"payload":"x"}', 4400),
        ("x" * 2**19, 1009),
    ]:
        async with world.socket() as socket:
            await socket.connection.send(said)
            assert (await closed(socket))[0] == code
    async with world.bare_socket(subprotocols=["graphql-ws"]) as socket:
        assert await closed(socket) == (4406, "Speak graphql-transport-ws.")


async def test_a_subscription_ends_when_it_is_completed(world: World) -> None:
    async with world.socket() as socket:
        await socket.subscribe(CUSTOMERS)
        await socket.settled()
        await socket.send(type="complete", id="1")
        await socket.settled()
        await told(world, person("ana", name="Ana"))
        assert await socket.is_silent()
    await asyncio.sleep(0.2)
    assert not world.application.state.feed._followers


async def test_by_http_a_subscription_is_refused(world: World) -> None:
    headers = {"authorization": f"Bearer {await asyncio.to_thread(world.token)}"}
    answer = await asyncio.to_thread(lambda: world.http.post("/graphql", json={"query": CUSTOMERS}, headers=headers))
    assert (answer.status_code, answer.json()["code"]) == (400, "request_malformed")
