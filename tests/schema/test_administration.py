"""Administration and the audit record through GraphQL, over real requests: who may, what is on record, what is never told."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from cdp.access.people import NewClient, create_client, create_member, create_staff
from cdp.access.sealing import digest, unseal
from cdp.access.viewer import ENTER, Member, Role, Scope
from cdp.app import create_app
from cdp.db.engine import Role as DatabaseRole
from cdp.db.engine import connect
from cdp.db.ids import format_id
from cdp.schema import open_graph
from cdp.settings import Settings
from tests.graph.business import id_of, uuid_of
from tests.live import client, serve
from tests.schema.conftest import Door

PASSWORD = "correct horse battery staple"
ACCOUNT, OTHER_ACCOUNT = ("K-1002", 2), ("K-1004", 4)
ABSENT = "0" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The served application, and tokens to administer it with: `token` has every scope, `lesser` admin alone."""

    door: Door
    database_url: str
    settings: Settings
    token: str
    admin: NewClient
    lesser: str

    def ask(self, document: str, token: str | None = None, **variables: Any) -> Any:
        """The data of an operation that has no errors."""
        answer = self.door.ask(document, token=token or self.token, variables=variables)
        assert "errors" not in answer.json(), answer.text
        return answer.json()["data"]

    def do(self, mutation: str, selection: str, token: str | None = None, **given: Any) -> Any:
        """The payload of a mutation."""
        chosen = f"{selection} userErrors {{ code field }}"
        document = f"mutation ($input: {input_of(mutation)}!) {{ {mutation}(input: $input) {{ {chosen} }} }}"
        return self.ask(document, token, input=given)[mutation]

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """As superuser."""
        with psycopg.connect(self.database_url) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def recorded(self, event: str, **given: Any) -> list[dict[str, Any]]:
        """What auditLog tells of an event, oldest first; waits for what is written in batches."""
        document = """query ($filter: AuditRecordFilter) { auditLog(filter: $filter, first: 100) { nodes {
            event outcome reason actor person { name } clientId accountId target details } } }"""
        deadline = time.monotonic() + 5
        while True:
            found = self.ask(document, filter={"event": {"eq": event}, **given})["auditLog"]["nodes"]
            if found or time.monotonic() > deadline:
                return list(reversed(found))
            time.sleep(0.1)

    def token_for(self, asking: str, person: UUID) -> str:
        """A token with which a client acts for somebody, signed as the issuer does."""
        sealed = bytes(self.rows("SELECT sealed_private_jwk FROM signing_key")[0][0])
        plain = unseal(self.settings.secret_key or "", "signing key", sealed)
        assert plain is not None
        key = RSAKey.import_key(orjson.loads(plain))
        now = int(time.time())
        claims = {
            "iss": self.settings.issuer, "aud": self.settings.public_url, "sub": str(person), "client_id": asking,
            "scope": "graph:read graph:pii", "iat": now, "exp": now + 600, "jti": f"{person}-{now}",
        }  # fmt: skip
        return jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": key.kid}, claims, key, algorithms=["RS256"])


OF_ONE = {"RotateSecret", "Disable", "Enable", "SignOut", "EndAbsence"}
"""Mutations that need no more than which one."""


def input_of(mutation: str) -> str:
    """The name of a mutation's input."""
    for kind, name in (("oauthClient", "OAuthClient"), ("member", "Member"), ("staff", "Staff")):
        if mutation.startswith(kind):
            verb = mutation.removeprefix(kind)
            return f"{name}Input" if verb in OF_ONE else f"{name}{verb}Input"
    raise AssertionError(mutation)


@pytest.fixture(scope="module")
def office(door: Door, shared_database_url: str, settings_for: Callable[..., Settings]) -> Office:
    with connect(shared_database_url, "cdp_app") as connection:
        admin = create_client(connection, name="Administration", scopes=list(Scope))
        lesser = create_client(connection, name="Lesser", scopes=[Scope.ADMIN])
    return Office(
        door=door,
        database_url=shared_database_url,
        settings=settings_for(),
        token=door.token_of(admin),
        admin=admin,
        lesser=door.token_of(lesser),
    )


def member(office: Office, name: str, *roles: tuple[tuple[str, int], Role]) -> str:
    """The typed id of a new member."""
    with connect(office.database_url, "cdp_app") as connection:
        made = create_member(
            connection,
            issuer=office.settings.issuer,
            email=f"{name}@example.com",
            name=name.title(),
            password=PASSWORD,
            accounts=[(account[0], role) for account, role in roles],
        )
    return format_id("mem", made)


def account_id(account: tuple[str, int]) -> str:
    return id_of("acc", "0004", account[1])


# -- who may --------------------------------------------------------------------------------------------------------------


def test_every_mutation_of_administrators_needs_the_scope_admin(office: Office) -> None:
    """By name from the schema: one that is added without a rule is found here."""
    schema = office.ask(
        "{ __schema { mutationType { fields { name description args { type { ofType { name } } } } } } }"
    )
    fields = schema["__schema"]["mutationType"]["fields"]
    ours = [each for each in fields if each["name"].startswith(("oauthClient", "member", "staff"))]
    assert len(ours) >= 18
    samples = {"clientId": "extranet", "memberId": f"mem_{ABSENT}", "accountId": account_id(ACCOUNT), "role": "VIEWER",
               "staffId": f"stf_{ABSENT}", "sessionId": "x", "email": "a@example.com", "name": "n", "scopes": [],
               "publicKeys": "x", "inviteId": f"inv_{ABSENT}", "deputyId": f"stf_{ABSENT}", "from": "2026-01-01",
               "to": "2026-01-02"}  # fmt: skip
    for each in ours:
        kind = each["args"][0]["type"]["ofType"]["name"]
        asked = office.ask(f'{{ __type(name: "{kind}") {{ inputFields {{ name defaultValue type {{ kind }} }} }} }}')[
            "__type"
        ]
        needed = [
            one["name"] for one in asked["inputFields"] if one["type"]["kind"] == "NON_NULL" and not one["defaultValue"]
        ]
        given = {name: samples[name] for name in needed}
        document = f"mutation ($input: {kind}!) {{ {each['name']}(input: $input) {{ userErrors {{ code }} }} }}"
        answer = office.door.ask(document, variables={"input": given}).json()
        assert answer["data"] == {each["name"]: None}
        for_members_alone = each["name"] == "memberInviteWithdraw"
        code = "members_only" if for_members_alone else "scope_missing"
        assert answer["errors"][0]["extensions"]["code"] == code, each["name"]
        assert for_members_alone or "scope admin" in each["description"]


def test_the_roots_of_administrators_are_closed_without_the_scope(office: Office) -> None:
    for root in ("oauthClients", "members", "staff", "auditLog"):
        answer = office.door.ask(f"{{ {root} {{ totalCount }} }}").json()
        assert answer["errors"][0]["extensions"] == {
            "code": "scope_missing",
            "field": f"Query.{root}",
            "scope": "admin",
        }


# -- OAuth clients --------------------------------------------------------------------------------------------------------


def test_a_client_is_made_changed_and_refused_and_all_of_it_is_on_record(office: Office) -> None:
    made = office.do("oauthClientCreate", "clientSecret client { clientId name authMethod scopes }", name="Shelf scanner",
                     scopes=["graph:read"])  # fmt: skip
    client_id, secret = made["client"]["clientId"], made["clientSecret"]
    assert made["client"] == {"clientId": client_id, "name": "Shelf scanner", "authMethod": "CLIENT_SECRET_BASIC",
                              "scopes": ["graph:read"]}  # fmt: skip
    token = office.door.token_of(NewClient(client_id=client_id, client_secret=secret, scopes=("graph:read",)))
    assert office.ask("{ viewer { clientId } }", token) == {"viewer": {"clientId": client_id}}

    renewed = office.do("oauthClientRotateSecret", "clientSecret", clientId=client_id)["clientSecret"]
    assert renewed != secret
    assert (
        office.door.http.post(
            "/idp/token", auth=(client_id, secret), data={"grant_type": "client_credentials"}
        ).status_code
        == 401
    )

    changed = office.do("oauthClientUpdate", "client { name scopes redirectUris grantTypes }", clientId=client_id,
                        name="Scanner", redirectUris=["https://scanner.example/callback"])["client"]  # fmt: skip
    assert changed == {
        "name": "Scanner",
        "scopes": ["openid", "profile", "email", "graph:read"],
        "redirectUris": ["https://scanner.example/callback"],
        "grantTypes": ["client_credentials", "authorization_code", "refresh_token"],
    }
    assert (
        office.do("oauthClientDisable", "client { disabledAt }", clientId=client_id)["client"]["disabledAt"] is not None
    )
    time.sleep(2.1)  # the list of what is refused may be two seconds old
    refused = office.door.ask("{ viewer { clientId } }", token=token)
    assert (refused.status_code, refused.json()["code"]) == (401, "token_invalid")
    office.do("oauthClientEnable", "client { disabledAt }", clientId=client_id)
    assert office.door.ask("{ viewer { clientId } }", token=token).status_code == 401, "an old token stays refused"

    events = ["created", "secret_rotated", "updated", "disabled", "enabled"]
    records = [office.recorded(f"oauth_client_{event}", target={"eq": client_id})[0] for event in events]
    assert {each["actor"] for each in records} == {f"client:{office.admin.client_id}"}
    assert (records[2]["details"]["before"]["name"], records[2]["details"]["after"]["name"]) == (
        "Shelf scanner",
        "Scanner",
    )
    assert secret not in json.dumps(records)
    assert renewed not in json.dumps(records)


def test_nobody_gives_a_client_what_they_do_not_have(office: Office) -> None:
    before = office.rows("SELECT count(*), max(tokens_from) FROM oauth_client")
    strong = office.admin.client_id
    beyond = {"code": "beyond_your_scopes", "field": ["input", "scopes"]}
    attempts: dict[str, dict[str, Any]] = {
        "oauthClientCreate": {"name": "Sly", "scopes": ["admin", "graph:pii"]},
        "oauthClientRotateSecret": {"clientId": strong},
        "oauthClientRegisterKeys": {"clientId": strong, "publicKeys": "{}"},
        "oauthClientUpdate": {"clientId": strong, "redirectUris": ["https://sly.example/"]},
        "oauthClientEnable": {"clientId": strong},
    }
    for mutation, given in attempts.items():
        assert office.do(mutation, "client { clientId }", office.lesser, **given) == {
            "client": None,
            "userErrors": [beyond],
        }
    assert office.rows("SELECT count(*), max(tokens_from) FROM oauth_client") == before
    assert office.door.token_of(office.admin)


@pytest.mark.parametrize(
    "address",
    [
        "http://evil.example/", "https://*.example/", "https://a.example/#x", "https://user@a.example/", "javascript:alert(1)",
        "https:/a", "//a.example", "https://a.example\\@b", "https://a example/", "ftp://a.example/", "",
        "http://localhost.evil.example/", "https://a.example:99999/", "data:text/html,x", "https://é.example/",
    ],
)  # fmt: skip
def test_a_hostile_redirect_address_is_never_registered(office: Office, address: str) -> None:
    told = office.do("oauthClientCreate", "clientSecret", name="Sly", scopes=["graph:read"], redirectUris=[address])
    assert told == {
        "clientSecret": None,
        "userErrors": [{"code": "address_invalid", "field": ["input", "redirectUris"]}],
    }


def test_the_extranets_own_client_and_an_absent_one_are_left_alone(office: Office) -> None:
    for client_id, code in (
        ("extranet", "client_is_built_in"),
        ("absent", "client_not_found"),
        ("\x01", "client_not_found"),
    ):
        told = office.do("oauthClientDisable", "client { clientId }", clientId=client_id)
        assert told == {"client": None, "userErrors": [{"code": code, "field": ["input", "clientId"]}]}
    own = office.do("oauthClientDisable", "client { clientId }", clientId=office.admin.client_id)
    assert own["userErrors"][0]["code"] == "client_is_yours"


def test_a_clients_tokens_are_refused_at_once_and_new_ones_are_not(office: Office) -> None:
    with connect(office.database_url, "cdp_app") as connection:
        made = create_client(connection, name="Lost laptop", scopes=[Scope.GRAPH_READ])
    token = office.door.token_of(made)
    assert office.door.ask("{ viewer { kind } }", token=token).status_code == 200
    assert office.do("oauthClientSignOut", "client { tokensFrom }", clientId=made.client_id)["client"]["tokensFrom"]
    auth = (made.client_id, made.client_secret or "")
    told = office.door.http.post("/idp/introspect", auth=auth, data={"token": token}).json()
    assert told == {"active": False}
    time.sleep(2.1)
    assert office.door.ask("{ viewer { kind } }", token=token).status_code == 401
    assert office.door.ask("{ viewer { kind } }", token=office.door.token_of(made)).status_code == 200


# -- members and staff ----------------------------------------------------------------------------------------------------


def test_a_member_is_let_in_moved_and_removed_and_the_last_admin_stays(office: Office) -> None:
    first = member(office, "ada", (ACCOUNT, Role.CLIENT_ADMIN))
    second = member(office, "bea", (ACCOUNT, Role.BUYER))
    here = {"accountId": account_id(ACCOUNT)}
    last = {"member": None, "userErrors": [{"code": "last_client_admin", "field": ["input", "memberId"]}]}
    assert office.do("memberSetRole", "member { id }", memberId=first, role="FINANCE", **here) == last
    assert office.do("memberRemove", "member { id }", memberId=first, **here) == last
    shown = "member { memberships { nodes { accountId role } } }"
    promoted = office.do("memberSetRole", shown, memberId=second, role="CLIENT_ADMIN", **here)
    assert promoted["member"]["memberships"]["nodes"] == [{"accountId": account_id(ACCOUNT), "role": "CLIENT_ADMIN"}]
    assert office.do("memberRemove", shown, memberId=first, **here)["member"]["memberships"]["nodes"] == []
    record = office.recorded("member_role_changed", target={"eq": second})[0]
    assert record["details"] == {"before": "buyer", "after": "client_admin"}
    assert record["accountId"] == account_id(ACCOUNT)
    assert office.recorded("member_removed", target={"eq": first})[0]["details"] == {"before": "client_admin"}


def test_ids_of_another_account_are_answered_as_absent_ones(office: Office) -> None:
    elsewhere = member(office, "cleo", (OTHER_ACCOUNT, Role.VIEWER))
    mutations: dict[str, dict[str, str]] = {"memberSetRole": {"role": "VIEWER"}, "memberRemove": {}}
    for mutation, more in mutations.items():
        answers = {
            json.dumps(office.do(mutation, "member { id }", memberId=asked, accountId=where, **more))
            for asked, where in (
                (elsewhere, account_id(ACCOUNT)),
                (f"mem_{ABSENT}", account_id(ACCOUNT)),
                (elsewhere, f"acc_{ABSENT}"),
            )
        }
        assert answers == {
            json.dumps(
                {"member": None, "userErrors": [{"code": "membership_not_found", "field": ["input", "memberId"]}]}
            )
        }
    assert office.rows("SELECT count(*) FROM membership WHERE member_id = %s", UUID(elsewhere[4:])) == [(1,)]


@pytest.mark.parametrize(
    ("mutation", "given"),
    [
        ("memberSetRole", {"memberId": f"mem_{ABSENT}", "accountId": f"acc_{ABSENT}", "role": "VIEWER", "issuer": "x"}),
        ("oauthClientUpdate", {"clientId": "a", "secretHash": "x"}),
        ("oauthClientUpdate", {"clientId": "a", "disabledAt": None}),
        ("staffAdd", {"email": "a@example.com", "name": "a", "staffId": "x"}),
        ("memberInvite", {"email": "a@example.com", "accountId": f"acc_{ABSENT}", "role": "VIEWER", "invitedBy": "x"}),
    ],
)
def test_a_mutation_takes_no_field_that_it_does_not_name(office: Office, mutation: str, given: dict[str, Any]) -> None:
    """Mass assignment: what isn't declared is refused before anything runs."""
    document = f"mutation ($input: {input_of(mutation)}!) {{ {mutation}(input: $input) {{ userErrors {{ code }} }} }}"
    before = office.rows("SELECT count(*) FROM audit_record")
    answer = office.door.ask(document, token=office.token, variables={"input": given})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "graphql_invalid")
    assert "data" not in answer.json()
    assert office.rows("SELECT count(*) FROM audit_record") == before


def test_who_is_disabled_has_no_session_and_the_database_shows_them_nothing(office: Office) -> None:
    who = member(office, "dora", (ACCOUNT, Role.FINANCE))
    office.rows("INSERT INTO login_session (session_hash, member_id, account_id, authenticated_at) VALUES (%s, %s, %s, now())",
                digest("dora"), UUID(who[4:]), UUID(uuid_of("0004", ACCOUNT[1])))  # fmt: skip
    shown = office.ask("query ($f: AccountMemberFilter) { members(filter: $f) { nodes { sessions { sessionId accountId } } } }",
                       f={"email": {"eq": "dora@example.com"}})["members"]["nodes"][0]["sessions"]  # fmt: skip
    assert [each["accountId"] for each in shown] == [account_id(ACCOUNT)]
    told = office.do("memberDisable", "member { disabledAt sessions { sessionId } }", memberId=who)["member"]
    assert told["disabledAt"] is not None
    assert told["sessions"] == []
    with connect(office.database_url, "cdp_portal") as connection:
        connection.execute(ENTER, (UUID(who[4:]), None, uuid_of("0004", ACCOUNT[1])))
        assert connection.execute("SELECT count(*) FROM account").fetchone() == (0,)
        office.do("memberEnable", "member { disabledAt }", memberId=who)
        connection.execute(ENTER, (UUID(who[4:]), None, uuid_of("0004", ACCOUNT[1])))
        assert connection.execute("SELECT count(*) FROM account").fetchone() == (1,)


def test_one_session_is_ended_by_its_name(office: Office) -> None:
    who = member(office, "eva", (ACCOUNT, Role.FINANCE))
    for secret in ("one", "two"):
        office.rows("INSERT INTO login_session (session_hash, member_id, account_id, authenticated_at)"
                    " VALUES (%s, %s, %s, now())", digest(secret), UUID(who[4:]), UUID(uuid_of("0004", ACCOUNT[1])))  # fmt: skip
    document = "query ($f: AccountMemberFilter) { members(filter: $f) { nodes { sessions { sessionId } } } }"
    sessions = office.ask(document, f={"email": {"eq": "eva@example.com"}})["members"]["nodes"][0]["sessions"]
    left = office.do("memberEndSession", "member { sessions { sessionId } }", sessionId=sessions[0]["sessionId"])
    assert left["member"]["sessions"] == sessions[1:]
    again = office.do("memberEndSession", "member { id }", sessionId=sessions[0]["sessionId"])
    assert again["userErrors"][0]["code"] == "session_not_found"
    assert office.do("memberSignOut", "member { sessions { sessionId } }", memberId=who)["member"]["sessions"] == []
    assert office.recorded("member_signed_out", target={"eq": who})[0]["details"] == {"sessions": 1}


def test_an_invitation_is_told_once_and_there_are_only_so_many(
    office: Office, settings_for: Callable[..., Settings], shared_database_url: str
) -> None:
    with serve(create_app(settings_for(rate_invites="2/hour"))) as url, client(url) as http:
        door = Door(url=url, http=http, tool=office.admin, narrow=office.admin, token=office.token)
        document = "mutation ($input: MemberInviteInput!) { memberInvite(input: $input) { link userErrors { code } } }"
        given = {"email": "new@example.com", "accountId": account_id(ACCOUNT), "role": "BUYER"}
        answers = [door.ask(document, variables={"input": given}) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[0].json()["data"]["memberInvite"]["link"].startswith(f"{office.settings.issuer}/invite/")
    refused = answers[2].json()["errors"][0]["extensions"]
    assert refused["code"] == "too_many_requests"
    assert answers[2].headers["retry-after"] == str(refused["retry_after_seconds"])
    assert office.rows("SELECT count(*) FROM invite WHERE email = 'new@example.com'") == [(2,)]
    record = office.recorded("member_invited")[0]
    assert record["details"] == {"role": "buyer"}
    assert record["accountId"] == account_id(ACCOUNT)


def test_staff_are_added_and_disabled_and_no_tool_acts_for_them_then(office: Office) -> None:
    added = office.do("staffAdd", "staff { id email name }", email="kim@company.example", name="Kim")
    assert added["staff"] | {"id": ""} == {"id": "", "email": "kim@company.example", "name": "Kim"}
    taken = office.do("staffAdd", "staff { id }", email="kim@company.example", name="Kim")
    assert taken["userErrors"][0]["code"] == "staff_exists"
    told = office.do("staffDisable", "staff { disabledAt }", staffId=added["staff"]["id"])
    assert told["staff"]["disabledAt"] is not None
    absent = office.do("staffDisable", "staff { id }", staffId=f"stf_{ABSENT}")
    assert absent["userErrors"][0]["code"] == "staff_not_found"


def test_an_absence_is_said_in_place_of_the_one_before_and_is_on_record(office: Office) -> None:
    ada, lee = (
        office.do("staffAdd", "staff { id }", email=f"{name}@company.example", name=name)["staff"]["id"]
        for name in ("ada", "lee")
    )
    asked = "staff { awayFrom awayTo deputy { name } }"
    days = {"from": "2026-12-24", "to": "2027-01-02"}
    told = office.do("staffSetAbsence", asked, staffId=ada, deputyId=lee, **days)["staff"]
    assert told == {"awayFrom": "2026-12-24", "awayTo": "2027-01-02", "deputy": {"name": "lee"}}
    for wrong, code in (
        ({"deputyId": ada}, "deputy_unfit"),
        ({"deputyId": f"stf_{ABSENT}"}, "deputy_unfit"),
        ({"deputyId": "x"}, "not_an_id"),
        ({"to": "2026-12-23"}, "period_backwards"),
        ({"staffId": f"stf_{ABSENT}"}, "staff_not_found"),
    ):
        given = {"staffId": ada, "deputyId": lee, **days, **wrong}
        assert office.do("staffSetAbsence", asked, **given)["userErrors"][0]["code"] == code
    assert office.do("staffEndAbsence", asked, staffId=ada)["staff"] == {
        "awayFrom": None, "awayTo": None, "deputy": None,
    }  # fmt: skip
    assert office.rows("SELECT event, details FROM audit_record WHERE event LIKE 'staff_absence%%' ORDER BY recorded_at") == [
        ("staff_absence_set", {**days, "deputy": lee}), ("staff_absence_ended", {}),
    ]  # fmt: skip


def test_members_are_limited_to_sites_and_let_see_every_one(office: Office) -> None:
    member_id = member(office, "sites", (ACCOUNT, Role.BUYER))
    office.rows("UPDATE sales_order SET location = 'Porto' WHERE account_id = %s", UUID(account_id(ACCOUNT)[4:]))
    asked = "member { memberships { nodes { role sites } } }"
    given = {"memberId": member_id, "accountId": account_id(ACCOUNT)}
    for sites, code in (
        ([], "no_site"),
        (["Faro"], "site_unknown"),
        (["x\0"], "site_unknown"),
        (["x"] * 9, "site_unknown"),
    ):
        assert office.do("memberSetSites", asked, **given, sites=sites)["userErrors"][0]["code"] == code
    told = office.do("memberSetSites", asked, **given, sites=["Porto", "Porto"])["member"]["memberships"]["nodes"]
    assert told == [{"role": "BUYER", "sites": ["Porto"]}]
    refused = office.do("memberSetRole", asked, **given, role="FINANCE")
    assert refused["userErrors"][0]["code"] == "role_sees_every_site"
    told = office.do("memberSetSites", asked, **given, sites=None)["member"]["memberships"]["nodes"]
    assert told == [{"role": "BUYER", "sites": None}]
    invited: dict[str, Any] = {"email": "porto@example.com", "accountId": account_id(ACCOUNT), "sites": ["Porto"]}
    assert (
        office.do("memberInvite", "link", **invited, role="FINANCE")["userErrors"][0]["code"] == "role_sees_every_site"
    )
    assert office.do("memberInvite", "link", **invited, role="VIEWER")["link"]
    assert office.rows("SELECT sites FROM invite WHERE email = 'porto@example.com'") == [(["Porto"],)]


# -- the record -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sam(office: Office) -> tuple[UUID, str]:
    """Somebody of the staff, and a token with which the console acts for them."""
    with connect(office.database_url, "cdp_app") as connection:
        create_staff(
            connection, email="sam@company.example", name="Sam", issuer=office.settings.issuer, password=PASSWORD
        )
    person = office.rows("SELECT user_id FROM idp_user WHERE email = 'sam@company.example'")[0][0]
    return person, office.token_for(office.door.tool.client_id, person)


def test_what_staff_read_through_a_tool_is_on_record_with_both(office: Office, sam: tuple[UUID, str]) -> None:
    person, token = sam
    customer, account = id_of("cus", "0001", 2), account_id(ACCOUNT)
    document = f'query Desk($c: ID!) {{ customer(id: $c) {{ name }} account(id: "{account}") {{ name }} }}'
    office.ask(document, token, c=customer)
    office.ask("{ customers(first: 1) { totalCount } }", token)
    office.ask("{ customers(first: 1) { totalCount } }", office.door.token)
    found = office.recorded("read", actor={"eq": str(person)})
    deadline = time.monotonic() + 5
    while len(found) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
        found = office.recorded("read", actor={"eq": str(person)})
    told = {"operation": "Desk", "fields": ["customer", "account"]}
    assert [(each["target"], each["accountId"], each["details"]) for each in found] == [
        (account, account, told),
        (customer, None, {**told, "ids": [customer]}),
        (None, None, {"operation": None, "fields": ["customers"]}),
    ]
    assert {(each["clientId"], each["person"]["name"]) for each in found} == {(office.door.tool.client_id, "Sam")}
    own = office.rows("SELECT count(*) FROM audit_record WHERE event = 'read' AND actor LIKE 'client:%%'")
    assert own == [(0,)], "a tool that acts for itself reads no person's data for another"


def test_a_field_that_is_refused_and_a_bad_token_are_on_record_once_a_minute(office: Office) -> None:
    for _ in range(20):
        office.door.ask("{ members { totalCount } }")
        office.door.ask("{ viewer { kind } }", token="x.y.z")
    mine = f"client:{office.door.tool.client_id}"
    fields = office.recorded("graph", actor={"eq": mine}, target={"eq": "Query.members"})
    tokens = office.recorded("api", reason={"eq": "token_invalid"})
    time.sleep(2.2)
    fields = office.recorded("graph", actor={"eq": mine}, target={"eq": "Query.members"})
    tokens = office.recorded("api", reason={"eq": "token_invalid"})
    for found in (fields, tokens):
        assert {each["outcome"] for each in found} == {"REFUSED"}
        assert 1 <= len(found) <= 2, "one a minute, and the clock may have turned"
    assert tokens[0]["actor"] == "unknown"


@pytest.mark.parametrize("role", ["cdp_portal", "cdp_app"])
async def test_client_admins_read_the_record_of_their_own_account_and_nobody_else_any(
    office: Office, role: DatabaseRole
) -> None:
    """With both walls (the portal's role), and with the first alone (row-level security lets the application's role see all)."""
    number, other = 6 if role == "cdp_portal" else 10, 8 if role == "cdp_portal" else 12
    own, foreign = UUID(uuid_of("0004", number)), UUID(uuid_of("0004", other))
    with connect(office.database_url, "cdp_app") as connection:
        made = {
            each: create_member(
                connection, issuer=office.settings.issuer, email=f"{each}.{number}@example.com", name=each.title(),
                password=PASSWORD, accounts=[(f"K-{1000 + number}", each)],
            )
            for each in (Role.CLIENT_ADMIN, Role.FINANCE)
        }  # fmt: skip
    subject = office.rows("SELECT subject FROM member WHERE member_id = %s", made[Role.FINANCE])[0][0]
    for actor, account in ((subject, own), ("foreign canary", foreign), ("nobody's canary", None)):
        office.rows(
            "INSERT INTO audit_record (event, outcome, actor, account_id, reason)"
            " VALUES ('sign_out', 'done', %s, %s, 'r')",
            actor,
            account,
        )
    foreign_id = office.rows(
        "SELECT audit_id FROM audit_record WHERE actor = 'foreign canary' ORDER BY recorded_at DESC"
    )[0][0]
    document = """query ($id: ID!) { node(id: $id) { id } auditLog(filter: {event: {eq: "sign_out"}}) {
        totalCount nodes { actor person { name } accountId details } } }"""
    nothing = {"node": None, "auditLog": {"totalCount": 0, "nodes": []}}
    async with open_graph(office.database_url, role) as graph:
        for id_asked in (format_id("aud", foreign_id), f"aud_{ABSENT}"):
            asked = {"id": id_asked}
            admin = Member(member_id=made[Role.CLIENT_ADMIN], account_id=own, role=Role.CLIENT_ADMIN)
            seen = await graph.execute(document, asked, admin)
            finance = Member(member_id=made[Role.FINANCE], account_id=own, role=Role.FINANCE)
            hidden = await graph.execute(document, asked, finance)
            assert (seen.errors, hidden.errors, hidden.data) == ([], [], nothing)
            assert seen.data is not None
            assert seen.data["node"] is None
            assert [each["actor"] for each in seen.data["auditLog"]["nodes"]] == [subject]
            if role == "cdp_portal":
                assert seen.data["auditLog"]["nodes"][0]["person"] == {"name": "Finance"}
