"""Activity: what is on record of an account, told to its administrators in sentences, and to nobody else."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from cdp.access.audit import Actor, record, view_as
from cdp.db.engine import connect
from extranet.activity import SENTENCES, SHOWN, ActivityRecord, sentence, who
from tests.extranet.conftest import Site, running_site, sameness
from tests.extranet.reading import read, rows

ADMIN, FINANCE, OTHER = "admin@lusitania.example", "finance@lusitania.example", "admin@zeppelin.example"


@pytest.fixture(scope="module")
def site(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(shared_database_url, tmp_path_factory.mktemp("data")) as site:
        yield site


def get(site: Site, path: str, who: str = ADMIN) -> httpx2.Response:
    with site.as_member(who) as member:
        return member.get(path)


def told(site: Site, show: str = "all", who: str = ADMIN) -> list[list[str]]:
    shown = read(get(site, f"/activity?show={show}", who).text)
    tables = shown.all("table")
    return [row[1:] for row in rows(tables[0])] if tables else []


def test_administrators_read_who_signed_in_and_took_files_away(site: Site) -> None:
    assert get(site, "/statement.csv?from=2026-08-01&to=2026-10-31", FINANCE).status_code == 200
    assert ["Inês Duarte", "Signed in."] in told(site, "sign-in")
    assert told(site, "files") == [["Inês Duarte", "Took a file away: statement, CSV."]]
    assert told(site).index(["Inês Duarte", "Took a file away: statement, CSV."]) < told(site).index(
        ["Inês Duarte", "Signed in."]
    )


def test_staff_who_looked_are_named(site: Site) -> None:
    own = site.business.accounts["K-1001"]
    person = Actor(actor="staff-subject", client_id="crm")
    with connect(site.database_url, "cdp_app") as connection:
        connection.execute("UPDATE staff SET subject = 'staff-subject' WHERE email = 'marta@meridian.example'")
        record(
            connection,
            person.did("read", account_id=own, operation="Balances"),
            view_as(person, account_id=own, reason="you asked about INV-3", minutes=30),
            person.did("read", account_id=site.business.accounts["K-2002"]),
        )
    assert told(site, "staff") == [
        [
            "Marta Kowalska Meridian Supply",
            "Saw these pages as you see them, for up to 30 minutes. Reason: you asked about INV-3",
        ],
        ["Marta Kowalska Meridian Supply", "Looked at the account’s data."],
    ]


@pytest.mark.parametrize("email", [FINANCE, "buyer@lusitania.example", "viewer@lusitania.example"])
def test_for_others_there_is_no_such_page(site: Site, email: str) -> None:
    answer, nothing = get(site, "/activity", email), get(site, "/nothing-here", email)
    assert (answer.status_code, sameness(answer.text)) == (404, sameness(nothing.text))


def test_another_accounts_records_are_not_there(site: Site) -> None:
    assert "canary" not in str(told(site))
    assert "Duarte" not in str(told(site, who=OTHER))
    assert ["Zofia canary", "Signed in."] in told(site, who=OTHER)


def test_it_is_paged_and_a_kind_that_there_is_not_shows_all(site: Site) -> None:
    own = site.business.accounts["K-1001"]
    with connect(site.database_url, "cdp_app") as connection:
        record(connection, *(Actor(actor="command line").did("change", account_id=own) for _ in range(60)))
    first = read(get(site, "/activity?show=nonsense").text)
    assert len(rows(first.one("table"))) == 50
    following = read(get(site, first.one("a", rel="next").attributes["href"]).text)
    assert len(rows(following.one("table"))) >= 10


def entry(event: str, **more: Any) -> ActivityRecord:
    values: dict[str, Any] = {
        "id": "aud_1", "at": datetime(2026, 11, 21, tzinfo=UTC), "event": event, "outcome": "DONE", "reason": None,
        "actor": "x", "client_id": None, "target": "mem_1", "person": None,
        "details": {"role": "buyer", "before": "finance", "after": "viewer", "format": "pdf", "minutes": 30, "reason": "r"},
    }  # fmt: skip
    return ActivityRecord(**{**values, **more})


@pytest.mark.parametrize("event", sorted(SENTENCES))
def test_every_sentence_has_its_words(event: str) -> None:
    said = sentence(entry(event), {"mem_1": "Ana"})
    assert said.endswith((".", "r"))
    assert "%" not in said
    assert "None" not in said


def test_people_are_named_by_what_they_are_called_now() -> None:
    assert (
        sentence(entry("member_role_changed"), {"mem_1": "Ana"}) == "Changed the role of Ana: from Finance to Viewer."
    )
    assert sentence(entry("member_removed"), {}) == "Removed somebody who left."
    assert sentence(entry("something_new"), {}) == "Something new."
    assert who(entry("change", actor="command line"), seller="Meridian") == "Meridian"
    assert who(entry("sign_in"), seller="Meridian") == "Somebody who left"


def test_every_kind_is_of_events_that_have_sentences() -> None:
    for _name, chosen in SHOWN.values():
        condition = chosen.get("event", {})
        assert set(condition.get("in", [condition["eq"]] if "eq" in condition else [])) <= set(SENTENCES)
