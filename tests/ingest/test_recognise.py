"""Who is this, now: pages ask for their own visitor and hear of nobody else, servers ask for anybody, and what was acknowledged
counts before it is stitched. No worker runs here but where a test says so.
"""

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest

from cdp.access.people import NewClient, create_client
from cdp.access.tokens import TokenVerifier
from cdp.access.viewer import READ_SCOPES, Scope, Tool
from cdp.access.visitor_tokens import Visitor, VisitorTokenInvalid, read, sign
from cdp.app import create_app
from cdp.db.engine import connect
from cdp.db.metadata import gather
from cdp.ingest import catching_up
from cdp.settings import Settings
from cdp.worker import drain
from tests.ingest.door import Sender, make_sender
from tests.live import client, serve, working

SHOP, EVIL = "https://shop.example", "https://evil.example"
SECRET = "s" * 48
UNKNOWN = {"known": False, "proof": "anonymous_id", "name": None, "traits": {}}
NOT_GIVEN = {"code": "visitor_token_invalid"}
CUSTOMER = "query ($who: [IdentifierInput!]!) { recognise(identifiers: $who) { name email orders { totalCount } } }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The served application, its source, and tools of which one may read people."""

    url: str
    database_url: str
    http: httpx2.Client
    shop: Sender
    tool: NewClient
    narrow: NewClient

    def tell(self, sender: Sender | None = None, **message: Any) -> None:
        answer = self.http.post("/v1/batch", json={"batch": [message]}, auth=(sender or self.shop).auth)
        assert answer.json() == {"success": True}

    def visitor(self, sender: Sender | None = None, **body: Any) -> dict[str, Any]:
        """A page's visitor and token."""
        answer = self.http.post("/v1/visitor", json=body, auth=(sender or self.shop).auth)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def vouch(self, **body: Any) -> httpx2.Response:
        return self.http.post("/v1/visitor", json={"source": "web-shop", **body}, headers=self.bearer())

    def recognise(self, token: str, query: str = "", origin: str | None = None) -> httpx2.Response:
        headers = {"authorization": f"Bearer {token}"} | ({} if origin is None else {"origin": origin})
        return self.http.get(f"/v1/recognise{query}", headers=headers)

    def own(self, token: str) -> dict[str, Any]:
        answer = self.recognise(token)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def anybody(self, query: str) -> dict[str, Any]:
        answer = self.http.get(f"/v1/recognise?{query}", headers=self.bearer())
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def graph(self, *named: tuple[str, str]) -> Any:
        body = {"query": CUSTOMER, "variables": {"who": [{"namespace": one, "value": two} for one, two in named]}}
        answer = self.http.post("/graphql", json=body, headers=self.bearer()).json()
        assert "errors" not in answer, answer
        return answer["data"]["recognise"]

    def bearer(self, tool: NewClient | None = None) -> dict[str, str]:
        chosen = tool or self.tool
        auth = (chosen.client_id, chosen.client_secret or "")
        answer = self.http.post("/idp/token", auth=auth, data={"grant_type": "client_credentials"})
        return {"authorization": f"Bearer {answer.json()['access_token']}"}

    def drain(self) -> None:
        drain(self.database_url)

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            found = connection.execute(statement.encode())
            return found.fetchall() if found.description else []


@pytest.fixture(scope="module")
def served(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder: Path = tmp_path_factory.mktemp("data")
    settings = Settings(database_url=shared_database_url, data_dir=folder, secret_key=SECRET)
    shop = make_sender(shared_database_url, origins=[SHOP])
    with connect(shared_database_url, "cdp_app") as connection:
        tool = create_client(connection, name="Desk", scopes=READ_SCOPES)
        narrow = create_client(connection, name="Shelf", scopes=[Scope.GRAPH_READ])
    with serve(create_app(settings)) as url, client(url) as http:
        yield Desk(url=url, database_url=shared_database_url, http=http, shop=shop, tool=tool, narrow=narrow)


@pytest.fixture
def desk(served: Desk) -> Desk:
    """Nobody is known, and nothing waits."""
    told = [table.name for table in gather().tables.values() if table.info.get("distributed_by")]
    served.run(f"TRUNCATE {', '.join(told)} CASCADE")
    return served


def ana(anonymous_id: str | None = None, **message: Any) -> dict[str, Any]:
    """What Ana's sign-up says."""
    traits = {"name": "Ana Berg", "email": "ana@example.org", "plan": "gold"}
    return {"type": "identify", "userId": "u-ana", "anonymousId": anonymous_id, "traits": traits, **message}


@pytest.mark.parametrize("stitched", [False, True])
def test_a_visitor_hears_what_they_said_themselves_of_what_the_source_allows(desk: Desk, *, stitched: bool) -> None:
    visitor = desk.visitor()
    assert desk.own(visitor["token"]) == UNKNOWN
    desk.tell(type="page", anonymousId=visitor["anonymousId"], name="Home")
    desk.tell(**ana(visitor["anonymousId"]))
    if stitched:
        desk.drain()
    allowed = {"name": "Ana Berg"}
    assert desk.own(visitor["token"]) == {**UNKNOWN, "known": True, "name": "Ana Berg", "traits": allowed}


def test_a_guessed_id_with_a_public_key_opens_nobodys_profile(desk: Desk) -> None:
    """Apache Unomi's hole: the key of every page, and an id that somebody guessed or read in a log, gave the whole profile."""
    victim = desk.visitor()
    desk.tell(**ana(victim["anonymousId"]))
    desk.drain()
    key = desk.shop.write_key
    guesses = [f"anonymous_id={victim['anonymousId']}", "user_id=u-ana", "email=ana@example.org", "user_id=nobody", ""]
    headers: list[dict[str, str]] = [
        {"authorization": f"Bearer {key}"},
        {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()},
        {},
    ]
    answers = {
        (answer.status_code, answer.content)
        for header in headers
        for guess in guesses
        for answer in [desk.http.get(f"/v1/recognise?{guess}", headers=header)]
    }
    assert [(status, json.loads(body)["code"]) for status, body in answers] == [(401, "visitor_token_missing")]
    # The key gives a token for a visitor of our making, whatever id the page names.
    mine = victim
    for named in ({"anonymousId": victim["anonymousId"]}, {"userId": "u-ana"}, {"visitorId": victim["anonymousId"]}):
        mine = desk.visitor(**named)
        assert mine["anonymousId"] != victim["anonymousId"]
        assert desk.own(mine["token"]) == UNKNOWN
    # A good token answers for its own visitor, and refuses alike whoever is named beside it, were it oneself.
    refused = {
        (answer.status_code, answer.content)
        for guess in [*guesses[:4], f"anonymous_id={mine['anonymousId']}"]
        for answer in [desk.recognise(mine["token"], f"?{guess}")]
    }
    assert [(status, json.loads(body)["code"]) for status, body in refused] == [(403, "only_yourself")]


@pytest.mark.parametrize("stitched", [False, True])
def test_claiming_to_be_somebody_shows_a_visitor_nothing_of_them(desk: Desk, *, stitched: bool) -> None:
    victim, thief = desk.visitor(), desk.visitor()
    desk.tell(**ana(victim["anonymousId"], traits={"name": "Ana Berg", "firstName": "Ana", "email": "ana@example.org"}))
    if stitched:
        desk.drain()
    anonymous = thief["anonymousId"]
    desk.tell(type="alias", previousId=anonymous, userId="u-ana", anonymousId=anonymous)
    desk.tell(type="identify", anonymousId=anonymous, userId="u-ana", traits={"email": "ana@example.org"})
    desk.tell(type="identify", anonymousId=anonymous, userId="u-ana", traits={"name": "x"}, timestamp="2001-01-01")
    if stitched:
        desk.drain()
        assert desk.anybody(f"anonymous_id={anonymous}")["name"] == "Ana Berg"  # the graph believed it
    # Their own words and no more: neither is a trait of Ana's told, nor that an older word of theirs didn't count against hers.
    assert desk.own(thief["token"]) == {**UNKNOWN, "known": True, "name": "x", "traits": {"name": "x"}}


def test_of_two_people_on_one_device_the_latest_is_told_and_nothing_of_the_other(desk: Desk) -> None:
    visitor = desk.visitor()
    anonymous = visitor["anonymousId"]
    desk.tell(**ana(anonymous, timestamp="2026-03-01T10:00:00Z", traits={"name": "Ana", "firstName": "Ana"}))
    ben = {"type": "identify", "userId": "u-ben", "anonymousId": anonymous, "traits": {"name": "Ben"}}
    desk.tell(**ben, timestamp="2026-03-02T10:00:00Z")
    assert desk.own(visitor["token"])["traits"] == {"name": "Ben"}


@pytest.mark.parametrize("stitched", [False, True])
def test_a_signed_in_user_is_vouched_for_by_the_sources_own_server(desk: Desk, *, stitched: bool) -> None:
    desk.tell(**ana("a-laptop"))
    crm = make_sender(desk.database_url, f"crm-{stitched}".lower())
    desk.tell(crm, type="identify", userId="u-ana", traits={"name": "Berg, A. (difficult)"})
    if stitched:
        desk.drain()
    vouched = desk.vouch(userId=" u-ana ").json()
    assert vouched["userId"] == "u-ana"
    lasts = datetime.fromisoformat(vouched["expiresAt"]) - datetime.now(UTC)
    assert timedelta(hours=23) < lasts <= timedelta(days=1)
    expected = {"known": True, "proof": "user_id", "name": "Ana Berg", "traits": {"name": "Ana Berg"}}
    assert desk.own(vouched["token"]) == expected
    desk.tell(type="identify", userId="u-ana", traits={"name": "Ana Holm"})
    assert desk.own(vouched["token"])["name"] == "Ana Holm"
    other = desk.vouch(userId="u-nobody").json()
    assert desk.own(other["token"]) == {"known": False, "proof": "user_id", "name": None, "traits": {}}


def test_vouching_needs_a_tool_that_may_read_people(desk: Desk) -> None:
    narrow = desk.http.post("/v1/visitor", json={"source": "web-shop", "userId": "u"}, headers=desk.bearer(desk.narrow))
    assert (narrow.status_code, narrow.json()["code"]) == (403, "scope_missing")
    refused: list[tuple[dict[str, Any], int, str]] = [
        ({}, 400, "invalid_field"),
        ({"userId": "u", "anonymousId": "a"}, 400, "invalid_field"),
        ({"userId": "anonymous"}, 400, "invalid_field"),
        ({"userId": 7}, 400, "invalid_field"),
        ({"userId": "u", "lifetimeSeconds": 0}, 400, "invalid_field"),
        ({"userId": "u", "lifetimeSeconds": 31 * 86_400}, 400, "invalid_field"),
        ({"userId": "u", "source": "elsewhere"}, 404, "source_not_found"),
    ]
    for body, status, code in refused:
        answer = desk.vouch(**body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    kept = desk.vouch(anonymousId="from-our-cookie").json()
    desk.tell(type="identify", anonymousId="from-our-cookie", traits={"name": "Kim", "email": "kim@example.org"})
    assert desk.own(kept["token"])["name"] == "Kim"


def test_a_token_is_renewed_for_the_same_visitor_and_a_bad_one_is_a_new_visitor(desk: Desk) -> None:
    first = desk.visitor()
    again = desk.visitor(token=first["token"])
    assert again["anonymousId"] == first["anonymousId"]
    user = desk.vouch(userId="u-ana").json()["token"]
    for bad in ("", "vt1.x.y", first["token"][:-2], user, make_token(expires_in=timedelta(seconds=-1))):
        assert desk.visitor(token=bad)["anonymousId"] not in {first["anonymousId"], "u-ana"}


def make_token(source: str = "0" * 32, *, expires_in: timedelta = timedelta(hours=1), secret: str = SECRET) -> str:
    visitor = Visitor(
        source_id=UUID(source),
        proof="anonymous_id",
        value="v-1",
        generation=1,
        expires_at=datetime.now(UTC) + expires_in,
    )
    return sign(secret, visitor)


def test_every_token_that_is_not_right_is_refused_alike(desk: Desk) -> None:
    good = desk.visitor()["token"]
    head, claims, mac = good.split(".")
    other = json.loads(base64.urlsafe_b64decode(claims + "=="))
    forged = (
        base64.urlsafe_b64encode(json.dumps({**other, "v": "u-ana", "p": "user_id"}).encode()).rstrip(b"=").decode()
    )
    shop = desk.shop.source_id.hex
    tokens = [
        f"{head}.{claims}.{mac[:-1]}{'A' if mac[-1] != 'A' else 'B'}",
        f"{head}.{forged}.{mac}",
        f"{head}.{claims}",
        f"{head}.{claims}.",
        f"vt2.{claims}.{mac}",
        "vt1..",
        "vt1.!!.!!",
        "vt1." + "A" * 5_000,
        make_token(),  # of a source that isn't there
        make_token(shop, secret="another-installations-secret-key"),
        make_token(shop, expires_in=timedelta(seconds=-1)),
    ]
    answers = {(answer.status_code, answer.content) for answer in map(desk.recognise, tokens)}
    assert [(status, json.loads(body)["code"]) for status, body in answers] == [(401, "visitor_token_invalid")]
    assert desk.own(make_token(shop)) == UNKNOWN


def test_a_token_is_bound_to_its_source(desk: Desk) -> None:
    blog = make_sender(desk.database_url, "blog")
    visitor = desk.visitor()
    desk.tell(blog, **ana(visitor["anonymousId"]))
    assert desk.own(visitor["token"]) == UNKNOWN


def test_a_rotation_ends_every_token_of_the_source(desk: Desk) -> None:
    club = make_sender(desk.database_url, "club")
    before = desk.visitor(club)["token"]
    with pytest.raises(VisitorTokenInvalid):
        read("x" * 48, before, now=datetime.now(UTC))
    desk.run("UPDATE source SET visitor_generation = 2 WHERE name = 'club'")
    # Within the seconds for which sources are remembered; another process has nothing to forget.
    with serve(create_app(Settings(database_url=desk.database_url, secret_key=SECRET))) as url, client(url) as http:
        answer = http.get("/v1/recognise", headers={"authorization": f"Bearer {before}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "visitor_token_invalid")
        renewed = http.post("/v1/visitor", json={"token": before}, auth=club.auth).json()
        assert http.get("/v1/recognise", headers={"authorization": f"Bearer {renewed['token']}"}).json() == UNKNOWN


def test_pages_of_other_origins_hear_nothing(desk: Desk) -> None:
    asked = desk.http.options("/v1/recognise", headers={"origin": SHOP, "access-control-request-method": "GET"})
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, SHOP)
    assert "authorization" in asked.headers["access-control-allow-headers"]
    token = desk.visitor()["token"]
    allowed = desk.recognise(token, origin=SHOP)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, SHOP)
    foreign = [
        desk.recognise(token, origin=EVIL),
        desk.http.post("/v1/visitor", json={}, auth=desk.shop.auth, headers={"origin": EVIL}),
    ]
    for answer in foreign:
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
        assert "access-control-allow-origin" not in answer.headers
    ended = desk.recognise("vt1.x.y", origin=SHOP)
    assert (ended.status_code, ended.headers["access-control-allow-origin"]) == (401, SHOP)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"writeKey": "%s"}'], ids=["header, no body", "header", "key in the body"]
)
def test_a_page_shows_its_key_in_either_place_as_text_or_json(desk: Desk, content: bytes) -> None:
    in_body = b"writeKey" in content
    given = content.replace(b"%s", desk.shop.write_key.encode())
    auth = ("", "") if in_body else desk.shop.auth
    answer = desk.http.post("/v1/visitor", content=given, auth=auth, headers={"content-type": "text/plain"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


def test_a_visitor_needs_a_key_that_is_known(desk: Desk) -> None:
    for auth, content, status, code in (
        (("", ""), b"{}", 401, "missing_write_key"),
        (("wrong", ""), b"{}", 401, "unknown_write_key"),
        (desk.shop.auth, b"[1]", 400, "malformed_json"),
        (desk.shop.auth, b"{", 400, "malformed_json"),
        (desk.shop.auth, b" " * 9_000, 413, "too_large"),
    ):
        answer = desk.http.post("/v1/visitor", content=content, auth=auth)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_server_asks_for_any_identifier_and_hears_of_the_whole_customer(desk: Desk) -> None:
    desk.tell(**ana("a-1", timestamp="2026-03-01T10:00:00Z"))
    desk.drain()
    told = desk.anybody("email=ANA%40example.org&user_id=nobody")
    assert told.pop("id").startswith("cus_")
    assert told == {
        "known": True,
        "kind": "person",
        "name": "Ana Berg",
        "email": "ana@example.org",
        "phone": None,
        "traits": {"name": "Ana Berg", "email": "ana@example.org", "plan": "gold"},
        "firstSeenAt": "2026-03-01T10:00:00Z",
        "lastSeenAt": "2026-03-01T10:00:00Z",
    }
    assert desk.anybody("email=nobody@example.org") == {"known": False}
    assert desk.http.get("/v1/recognise", headers=desk.bearer()).json()["code"] == "invalid_field"
    many = "&".join(f"user_id={number}" for number in range(21))
    assert desk.http.get(f"/v1/recognise?{many}", headers=desk.bearer()).status_code == 400
    narrow = desk.http.get("/v1/recognise?email=ana@example.org", headers=desk.bearer(desk.narrow))
    assert (narrow.status_code, narrow.json()["code"]) == (403, "scope_missing")


@pytest.mark.parametrize("named", [("user_id", "u-ana"), ("anonymous_id", "a-1"), ("email", " Ana@Example.ORG ")])
@pytest.mark.parametrize("door", ["http", "graphql"])
def test_what_was_just_acknowledged_is_recognised_by_servers(desk: Desk, door: str, named: tuple[str, str]) -> None:
    order = {"order_id": "o-1", "total": 9.5, "currency": "EUR", "products": [{"product_id": "p"}]}
    desk.tell(type="track", userId="u-ana", event="Order Completed", properties=order)
    desk.tell(type="page", anonymousId="somebody-else")
    desk.tell(**ana("a-1"))
    if door == "http":
        told = desk.anybody(str(httpx2.QueryParams([named])))
        assert (told["known"], told["name"]) == (True, "Ana Berg")
    assert desk.graph(named) == {"name": "Ana Berg", "email": "ana@example.org", "orders": {"totalCount": 1}}
    # What is about others still waits for the worker, and finds nothing left to do of these.
    assert desk.run("SELECT body ->> 'anonymousId' FROM waiting_message JOIN inbox USING (seq)") == [("somebody-else",)]
    desk.drain()
    assert desk.run("SELECT count(*) FROM customer") == [(2,)]
    assert desk.run("SELECT count(*) FROM failed_message") == [(0,)]


def test_while_workers_are_at_work_whoever_was_just_told_is_known_at_once(desk: Desk) -> None:
    """Sixteen who tell and ask, two or three at each device and address, beside two workers: nobody waits in vain."""
    bearer = desk.bearer()

    def tell_and_ask(number: int) -> tuple[int, str | None]:
        with client(desk.url) as http:
            device, mailbox = f"device-{number // 2}", f"m{number // 3}@example.org"
            told = {"type": "identify", "userId": f"u{number}", "anonymousId": device, "traits": {"email": mailbox}}
            batch = [
                {"type": "page", "anonymousId": device},
                {**told, "traits": {"email": mailbox, "name": f"N{number}"}},
            ]
            assert http.post("/v1/batch", json={"batch": batch}, auth=desk.shop.auth).status_code == 200
            asked = f"user_id=u{number}" if number % 2 else f"anonymous_id={device}"
            return number, http.get(f"/v1/recognise?{asked}", headers=bearer).json().get("name")

    with working(desk.database_url, workers=2), ThreadPoolExecutor(16) as crowd:
        heard = list(crowd.map(tell_and_ask, range(64)))
    assert [number for number, name in heard if number % 2 and name != f"N{number}"] == []
    assert [number for number, name in heard if name is None] == []
    desk.drain()
    assert desk.run("SELECT count(*) FROM failed_message") == [(0,)]
    assert desk.run("SELECT count(*) FROM waiting_message") == [(0,)]


def test_a_message_that_cannot_be_applied_spoils_no_recognition(desk: Desk) -> None:
    desk.tell(**ana("a-1"))
    desk.tell(type="track", userId="u-ana", event="Order Completed", properties={"order_id": "o-1", "total": "much"})
    assert desk.graph(("user_id", "u-ana"))["name"] == "Ana Berg"
    assert desk.run("SELECT stage, code FROM failed_message") != []


def test_when_a_stitcher_takes_too_long_what_is_known_is_the_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "LONGEST_WAIT", "200ms")
    desk.tell(**ana("a-1"))
    desk.drain()
    desk.tell(type="identify", userId="u-ana", traits={"name": "Ana Holm"})
    with psycopg.connect(desk.database_url) as other:
        other.execute("SELECT FROM waiting_message FOR UPDATE")
        assert desk.anybody("user_id=u-ana")["name"] == "Ana Berg"
        assert desk.graph(("user_id", "u-ana"))["name"] == "Ana Berg"
        other.rollback()
    assert desk.anybody("user_id=u-ana")["name"] == "Ana Holm"


def test_whom_a_person_of_the_staff_recognised_is_on_record(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.tell(**ana("a-1"))
    desk.drain()

    async def sam(_self: TokenVerifier, _token: str) -> Tool:
        return Tool(client_id="console", scopes=frozenset({Scope.GRAPH_PII}), acting_for="sam")

    bearer = desk.bearer()
    monkeypatch.setattr(TokenVerifier, "tool", sam)
    known = desk.http.get("/v1/recognise?user_id=u-ana", headers=bearer).json()
    assert desk.http.get("/v1/recognise?user_id=nobody", headers=bearer).json() == {"known": False}
    statement = "SELECT event, actor, client_id, target, details FROM audit_record WHERE actor = 'sam'"
    deadline = time.monotonic() + 10
    while not (found := desk.run(statement)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found == [("read", "sam", "console", known["id"], {"fields": ["recognise"]})]
