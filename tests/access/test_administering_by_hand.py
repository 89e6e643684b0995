"""`cdp client`, `cdp member` and `cdp audit`, as an operator types them; what they do is on record."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from cdp.cli import app
from cdp.cli.mistakes import NotDone
from tests.access.world import NORD, SUED, World

Cdp = Callable[..., Any]


@pytest.fixture
def cdp(world: World, monkeypatch: pytest.MonkeyPatch) -> Cdp:
    monkeypatch.setenv("CDP_DATABASE_URL", world.url)
    monkeypatch.setenv("CDP_DATA_DIR", str(world.settings.data_dir))

    def run(*words: str) -> Any:
        outcome = CliRunner().invoke(app, [*words, "--json"])
        if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
            raise outcome.exception
        lines = [json.loads(line) for line in outcome.stdout.splitlines()]
        return lines if words[:2] == ("audit", "list") else lines[0]

    return run


def test_a_client_is_made_listed_rotated_and_disabled(cdp: Cdp, world: World) -> None:
    made = cdp("client", "create", "Shelf", "--scope", "graph:read")
    renewed = cdp("client", "rotate", made["client_id"])
    assert renewed["client_secret"] not in {None, made["client_secret"]}
    cdp("client", "disable", made["client_id"])
    listed = {each["client_id"]: each for each in cdp("client", "list")}
    assert listed[made["client_id"]]["disabled"] is True
    assert made["client_secret"] not in json.dumps(listed)
    assert renewed["client_secret"] not in json.dumps(listed)
    with pytest.raises(NotDone, match="no such OAuth client"):
        cdp("client", "disable", "absent")
    records = [each for each in cdp("audit", "list") if each["target"] == made["client_id"]]
    assert [each["event"] for each in reversed(records)] == [
        "oauth_client_created", "oauth_client_secret_rotated", "oauth_client_disabled",
    ]  # fmt: skip
    assert {each["actor"] for each in records} == {"command line"}
    assert world.execute("SELECT count(*) FROM audit_record WHERE event LIKE 'oauth_client%%'") == [(3,)]


def test_members_are_listed_moved_and_removed_and_the_last_admin_stays(cdp: Cdp, world: World) -> None:
    found = {each["email"]: each["accounts"] for each in cdp("member", "list", "--account", SUED)}
    assert found["cleo@example.com"] == [{"account": SUED, "role": "client_admin"}]
    with pytest.raises(NotDone, match="last client admin"):
        cdp("member", "remove", "cleo@example.com", "--account", SUED)
    with pytest.raises(NotDone, match="No order of this account names one of these sites"):
        cdp("member", "sites", "vera@example.com", "Nowhere", "--account", SUED)
    world.execute(
        """INSERT INTO sales_order (customer_id, account_id, profile_id, source_id, number, status, channel, location, placed_at,
            currency, total)
        SELECT customer_id, account_id, profile_id, source_id, 'SO-1', 'placed', 'erp', 'Porto', now(), 'EUR', 1
        FROM account WHERE account_id = %s""",
        world.accounts[SUED],
    )
    cdp("member", "sites", "vera@example.com", "Porto", "--account", SUED)
    listed = {each["email"]: each["accounts"] for each in cdp("member", "list", "--account", SUED)}
    assert listed["vera@example.com"] == [{"account": SUED, "role": "viewer", "sites": ["Porto"]}]
    with pytest.raises(NotDone, match="so they see every site"):
        cdp("member", "role", "vera@example.com", "client_admin", "--account", SUED)
    cdp("member", "sites", "vera@example.com", "--every", "--account", SUED)
    cdp("member", "role", "vera@example.com", "client_admin", "--account", SUED)
    cdp("member", "remove", "Cleo@example.com", "--account", SUED)
    assert "cleo@example.com" not in {each["email"] for each in cdp("member", "list", "--account", SUED)}
    cdp("member", "disable", "bodo@example.com")
    assert [each["disabled"] for each in cdp("member", "list") if each["email"] == "bodo@example.com"] == [True]
    with pytest.raises(NotDone, match="no such member"):
        cdp("member", "disable", "nobody@example.com")
    events = [each["event"] for each in cdp("audit", "list", "--account", SUED)]
    assert sorted(events) == ["member_removed", "member_role_changed", "member_sites_changed", "member_sites_changed"]
    assert [each["event"] for each in cdp("audit", "list", "--account", NORD)] == ["member_disabled"]


def test_somebody_of_the_staff_is_away_and_back(cdp: Cdp, world: World) -> None:
    world.execute("INSERT INTO staff (email, name) VALUES ('pia@example.com', 'Pia'), ('ute@example.com', 'Ute')")
    days = ("--from", "2026-12-24", "--to", "2027-01-02")
    cdp("staff", "away", "pia@example.com", *days, "--deputy", "Ute@example.com")
    listed = {each["email"]: each for each in cdp("staff", "list")}
    assert listed["pia@example.com"] | {"title": None} == {
        "email": "pia@example.com", "name": "Pia", "title": None, "disabled": False, "away_from": "2026-12-24",
        "away_to": "2027-01-02", "deputy": "Ute",
    }  # fmt: skip
    with pytest.raises(NotDone, match="Nobody of the staff has the e-mail address"):
        cdp("staff", "away", "pia@example.com", *days, "--deputy", "x@example.com")
    with pytest.raises(NotDone, match="Somebody else, who is still with the company, stands in"):
        cdp("staff", "away", "pia@example.com", *days, "--deputy", "pia@example.com")
    cdp("staff", "back", "pia@example.com")
    assert {each["email"]: each["deputy"] for each in cdp("staff", "list")}["pia@example.com"] is None
    assert [each["event"] for each in reversed(cdp("audit", "list")) if each["event"].startswith("staff_absence")] == [
        "staff_absence_set", "staff_absence_ended",
    ]  # fmt: skip
