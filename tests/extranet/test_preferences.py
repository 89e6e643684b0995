"""Preferences and consents: what somebody chooses holds, consents are proof, and letters stop by one POST without signing in."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest

from cdp.access.unsubscribing import read_unsubscribe_token, unsubscribe_url
from cdp.access.viewer import ENTER, Member, Role, entry
from cdp.db.engine import connect
from cdp.interact.preferences import Frequency, LetterChoice, letter_choices
from cdp.settings import Settings, load_settings
from tests.extranet.conftest import Site, running_site
from tests.extranet.reading import Element, read

BUYER, FINANCE, OTHER = "buyer@lusitania.example", "finance@lusitania.example", "admin@zeppelin.example"
TOPICS = ("invoices", "orders", "cases", "announcements", "news")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)  # a Saturday


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def site(shared_database_url: str, settings: Settings) -> Iterator[Site]:
    """Its own, since it changes what people chose."""
    with running_site(shared_database_url, settings.data_dir) as site:
        yield site


def page(site: Site, who: str = BUYER) -> Element:
    with site.as_member(who) as member:
        answer = member.get("/preferences")
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def post(site: Site, path: str = "/preferences", who: str = BUYER, **fields: str) -> httpx2.Response:
    with site.as_member(who) as member:
        token = read(member.get("/").text).one("input", name="csrf_token").attributes["value"]
        return member.post(path, data={"csrf_token": token, "language": "en", "zone": "UTC", **fields})


def member_id(site: Site, address: str) -> UUID:
    with connect(site.database_url, "cdp_app") as connection:
        row = connection.execute("SELECT member_id FROM member WHERE email = %s", [address]).fetchone()
    assert row
    found: UUID = row[0]
    return found


def chosen(site: Site, address: str, topic: str) -> LetterChoice:
    """As whoever sends letters is told."""
    who = member_id(site, address)
    with connect(site.database_url, "cdp_app") as connection:
        return letter_choices(connection, [(who, topic)])[who, topic]


def said(site: Site, address: str) -> list[tuple[str, bool, str, str]]:
    with connect(site.database_url, "cdp_app") as connection:
        return connection.execute(
            """SELECT purpose, is_granted, wording, means FROM consent_record WHERE member_id = %s ORDER BY consent_id""",
            [member_id(site, address)],
        ).fetchall()


def selected(shown: Element, name: str) -> str:
    options = shown.one("select", name=name).all("option")
    return next(option.text for option in options if "selected" in option.attributes)


def stop(site: Site, address: str, topic: str, settings: Settings) -> str:
    """The path of the link in a letter of theirs."""
    return unsubscribe_url(settings, member_id=member_id(site, address), topic=topic).removeprefix(
        settings.extranet_url
    )


def test_what_somebody_chooses_holds_for_them_alone(site: Site) -> None:
    assert selected(page(site), "invoices-email") == "At once"
    answer = post(site, **{"invoices-email": "WEEKLY", "orders-phone": "AT_ONCE", "paused": "2026-12-24"})
    assert answer.headers["location"] == "/preferences?saved"
    shown = page(site)
    assert selected(shown, "invoices-email") == "On Mondays"
    assert selected(shown, "orders-phone") == "Call me"
    assert shown.one("input", name="paused").attributes["value"] == "2026-12-24"
    assert selected(page(site, FINANCE), "invoices-email") == "At once"
    found = chosen(site, BUYER, "invoices")
    assert (found.frequency, found.paused_until) == ("weekly", date(2026, 12, 24))
    assert chosen(site, FINANCE, "invoices").frequency == "at_once"
    post(site)  # no pause any more
    assert chosen(site, BUYER, "invoices").paused_until is None


def test_language_and_time_zone_hold_from_the_next_page_on(site: Site) -> None:
    post(site, language="pt", zone="Europe/Warsaw")
    try:
        with site.as_member(BUYER) as member:
            text = member.get("/orders").text
        assert '<html lang="pt">' in text
        assert chosen(site, BUYER, "orders").time_zone == "Europe/Warsaw"
    finally:
        post(site)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"paused": "2026-11-21"}, "paused"),
        ({"paused": "2028-01-01"}, "paused"),
        ({"paused": "soon"}, "paused"),
        ({"zone": "Mars/Olympus"}, None),
        ({"language": "xx"}, None),
    ],
)
def test_a_mistake_is_told_and_nothing_saved(site: Site, fields: dict[str, str], name: str | None) -> None:
    before = chosen(site, BUYER, "orders")
    answer = post(site, **{"orders-email": "NEVER", **fields})
    assert answer.status_code == 422
    assert read(answer.text).one("p", role="alert").text
    if name:
        assert read(answer.text).one("input", name=name).attributes["value"] == fields[name]
    assert chosen(site, BUYER, "orders") == before


def test_a_form_of_somebody_elses_changes_nothing(site: Site) -> None:
    before = chosen(site, BUYER, "orders")
    with site.as_member(BUYER) as member:
        for path in ("/preferences", "/preferences/consent"):
            answer = member.post(path, data={"csrf_token": "forged", "orders-email": "NEVER", "purpose": "SUGGESTIONS"})
            assert answer.status_code == 403
    assert chosen(site, BUYER, "orders") == before


def test_a_consent_is_kept_with_its_wording_and_taken_back_by_another_row(site: Site) -> None:
    assert not chosen(site, FINANCE, "news").is_permitted
    post(site, "/preferences/consent", FINANCE, purpose="NEWS_EMAIL", granted="yes")
    assert chosen(site, FINANCE, "news").is_permitted
    assert selected(page(site, FINANCE), "news-email") == "On Mondays"
    post(site, "/preferences/consent", FINANCE, purpose="NEWS_EMAIL", granted="no")
    assert not chosen(site, FINANCE, "news").is_permitted
    wording = "Yes, send me news and offers by e-mail. I can stop this at any time, here or by the link in each letter."
    assert said(site, FINANCE) == [
        ("news_email", True, wording, "preferences_page"),
        ("news_email", False, wording, "preferences_page"),
    ]
    shown = page(site, FINANCE).one("ol", class_="said").text
    assert "yes" in shown
    assert "taken back" in shown
    assert wording in shown
    assert page(site, OTHER).all("ol", class_="said") == []


def test_there_is_no_consent_to_what_is_not_asked(site: Site) -> None:
    assert post(site, "/preferences/consent", purpose="EVERYTHING", granted="yes").status_code == 404


@pytest.mark.parametrize("statement", ["UPDATE consent_record SET is_granted = true", "DELETE FROM consent_record"])
@pytest.mark.parametrize("role", ["cdp_app", "cdp_portal", "cdp_owner"])
def test_consents_are_only_added(site: Site, role: str, statement: str) -> None:
    with connect(site.database_url, role) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):  # type: ignore[arg-type]
        connection.execute(statement.encode())


def test_nobody_consents_for_somebody_else(site: Site) -> None:
    """The second wall alone."""
    me, other = member_id(site, BUYER), member_id(site, FINANCE)
    with connect(site.database_url, "cdp_portal") as connection:
        viewer = Member(member_id=me, account_id=site.business.accounts["K-1001"], role=Role.BUYER)
        connection.execute(ENTER, entry(viewer))
        assert connection.execute("SELECT DISTINCT member_id FROM consent_record").fetchall() in ([], [(me,)])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                """INSERT INTO consent_record
                    (member_id, purpose, is_granted, wording_version, wording, language, means, recorded_by)
                VALUES (%s, 'suggestions', true, 'x', 'x', 'en', 'preferences_page', %s)""",
                [other, f"member:{other}"],
            )


# ---------------------------------------------------------------------------------------------------------- letters that stop


def test_opening_the_link_changes_nothing_and_one_post_stops_the_letters(site: Site, settings: Settings) -> None:
    path = stop(site, OTHER, "cases", settings)
    with site.client() as mailbox:
        opened = read(mailbox.get(path).text)
        assert opened.one("p", class_="lede").text == "They are about: Cases."
        assert opened.one("form").attributes["method"] == "post"
        assert mailbox.post(path, data={"something": "else"}).status_code == 200
        assert chosen(site, OTHER, "cases").frequency == "at_once"
        answers = [mailbox.post(path, data={"List-Unsubscribe": "One-Click"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert chosen(site, OTHER, "cases").frequency == "never"
    assert chosen(site, OTHER, "orders").frequency == "at_once"


def test_a_bad_link_is_answered_like_a_good_one_and_does_nothing(site: Site, settings: Settings) -> None:
    good = stop(site, OTHER, "orders", settings)
    nobody = unsubscribe_url(settings, member_id=uuid4(), topic="orders").removeprefix(settings.extranet_url)
    forged = good[:-1] + ("A" if good[-1] != "A" else "B")
    with site.client() as mailbox:
        told = {
            path: (mailbox.get(path).content, mailbox.post(path, data={"List-Unsubscribe": "One-Click"}).content)
            for path in (forged, nobody)
        }
        assert chosen(site, OTHER, "orders").frequency == "at_once"
        told[good] = (mailbox.get(good).content, mailbox.post(good, data={"List-Unsubscribe": "One-Click"}).content)
        assert mailbox.post("/unsubscribe/nonsense", data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert len(set(told.values())) == 1
    assert chosen(site, OTHER, "orders").frequency == "never"


def test_stopping_news_takes_the_consent_back(site: Site, settings: Settings) -> None:
    post(site, "/preferences/consent", OTHER, purpose="NEWS_EMAIL", granted="yes")
    with site.client() as mailbox:
        for _ in range(2):
            mailbox.post(stop(site, OTHER, "news", settings), data={"List-Unsubscribe": "One-Click"})
    assert [row[1:] for row in said(site, OTHER)][1:] == [(False, "Stop these letters", "unsubscribe_link")]
    assert not chosen(site, OTHER, "news").is_permitted


def test_a_token_of_another_installation_is_worth_nothing(settings: Settings) -> None:
    who = uuid4()
    token = unsubscribe_url(settings, member_id=who, topic="news").rpartition("/")[2]
    found = read_unsubscribe_token(settings, token)
    assert found is not None
    assert (found.member_id, found.topic) == (who, "news")
    other = settings.model_copy(update={"secret_key": "another " * 8})
    assert read_unsubscribe_token(other, token) is None
    assert read_unsubscribe_token(settings, token.replace(".news.", ".cases.")) is None


# --------------------------------------------------------------------------------------------------- when a letter may go


def choice(frequency: Frequency, *, paused: date | None = None, permitted: bool = True) -> LetterChoice:
    return LetterChoice(
        member_id=uuid4(), topic="orders", email="a@b.example", name="A", locale="en", time_zone="Europe/Warsaw",
        frequency=frequency.value, paused_until=paused, is_permitted=permitted,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("chosen_", "goes"),
    [
        (choice(Frequency.AT_ONCE), "2026-11-21T12:00:00+00:00"),
        (choice(Frequency.DAILY), "2026-11-22T08:00:00+01:00"),
        (choice(Frequency.WEEKLY), "2026-11-23T08:00:00+01:00"),
        (choice(Frequency.NEVER), None),
        (choice(Frequency.AT_ONCE, permitted=False), None),
        (choice(Frequency.AT_ONCE, paused=date(2026, 11, 21)), "2026-11-21T12:00:00+00:00"),
        (choice(Frequency.AT_ONCE, paused=date(2026, 12, 24)), "2026-12-24T08:00:00+01:00"),
        (choice(Frequency.WEEKLY, paused=date(2026, 12, 24)), "2026-12-28T08:00:00+01:00"),
    ],
)
def test_a_letter_goes_when_its_reader_wants_it(chosen_: LetterChoice, goes: str | None) -> None:
    when = chosen_.send_at(NOON)
    assert (when.isoformat() if when else None) == goes
