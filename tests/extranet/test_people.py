"""People of an account: who may see and change them, that an account keeps an administrator, and that invitations arrive once."""

import email
import re
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from cdp.access.viewer import ENTER, Member, Role, entry
from cdp.db.engine import connect
from cdp.db.ids import format_id
from tests.extranet.business import PASSWORD
from tests.extranet.conftest import Site, running_site, sameness
from tests.extranet.reading import Element, read, rows

ADMIN, FINANCE, OTHER = "admin@lusitania.example", "finance@lusitania.example", "admin@zeppelin.example"
BUYER = "buyer@lusitania.example"
WHOLE_ACCOUNT = (
    "Finance and administrators see the statement of the whole account, so they can’t be limited to sites. Choose all sites,"
    " or another role."
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def site(shared_database_url: str, data_dir: Path) -> Iterator[Site]:
    """Its own, since it changes who may sign in; letters are kept under `data_dir`."""
    with running_site(shared_database_url, data_dir) as site:
        with connect(site.database_url, "cdp_app") as connection:
            for number, place in (("SO-1002", "Porto"), ("SO-1003", "Maia <b>")):
                connection.execute("UPDATE sales_order SET location = %s WHERE number = %s", [place, number])
        yield site


def page(site: Site, path: str = "/people", who: str = ADMIN) -> Element:
    with site.as_member(who) as member:
        answer = member.get(path)
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def post(site: Site, path: str, who: str = ADMIN, **fields: str) -> httpx2.Response:
    """A form of somebody's, with the token of their session."""
    with site.as_member(who) as member:
        token = read(member.get("/").text).one("input", name="csrf_token").attributes["value"]
        return member.post(path, data={"csrf_token": token, **fields})


def member_id(site: Site, address: str) -> str:
    with connect(site.database_url, "cdp_app") as connection:
        row = connection.execute("SELECT member_id FROM member WHERE email = %s", [address]).fetchone()
    assert row
    return format_id("mem", row[0])


def role_of(site: Site, address: str) -> str | None:
    with connect(site.database_url, "cdp_app") as connection:
        row = connection.execute(
            "SELECT role FROM membership JOIN member USING (member_id) WHERE email = %s AND account_id = %s",
            [address, site.business.accounts["K-1001"]],
        ).fetchone()
    return row[0] if row else None


def letters(data_dir: Path) -> list[EmailMessage]:
    found = []
    for file in sorted((data_dir / "mail").glob("*.eml")):
        letter = email.message_from_bytes(file.read_bytes(), policy=default)
        assert isinstance(letter, EmailMessage)
        found.append(letter)
    return found


def link_in(letter: EmailMessage) -> str:
    text = letter.get_body(("plain",))
    assert text
    found = re.search(r"http\S+/invite/\S+", text.get_content())
    assert found
    return found[0]


def accept(link: str, *, name: str = "Joana Melo", password: str = PASSWORD) -> httpx2.Response:
    """Fill in the form that the link leads to."""
    with httpx2.Client(timeout=20, follow_redirects=True) as browser:
        form = browser.get(link)
        hidden = dict(re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', form.text))
        return browser.post(link, data={**hidden, "name": name, "password": password})


def test_a_client_admin_sees_who_belongs_to_the_account_and_when_they_signed_in(site: Site) -> None:
    listed = rows(page(site).one("table"))
    names = {row[0].split()[0]: row for row in listed}
    assert set(names) == {"Ana", "Inês", "Otto", "Rui", "Sofia"}
    assert [row[0].split()[0] for row in listed] == sorted(names)
    assert names["Sofia"][0].startswith("Sofia Reis you")
    assert names["Sofia"][1] == "Administrator"
    assert "2026" in names["Sofia"][3]
    assert names["Rui"][3] == "Not yet"


@pytest.mark.parametrize("path", ["/people", "/people/invite", "/people/mem_" + "0" * 32])
@pytest.mark.parametrize("who", [FINANCE, "buyer@lusitania.example", "viewer@lusitania.example"])
def test_for_others_there_is_no_such_page(site: Site, who: str, path: str) -> None:
    with site.as_member(who) as member:
        answer, nothing = member.get(path), member.get("/nothing-here")
    assert (answer.status_code, sameness(answer.text)) == (404, sameness(nothing.text))


def test_somebody_of_another_account_is_as_good_as_nobody(site: Site) -> None:
    theirs = member_id(site, OTHER)
    with site.as_member(ADMIN) as member:
        answer, nothing = member.get(f"/people/{theirs}"), member.get("/people/mem_" + "0" * 32)
    assert (answer.status_code, sameness(answer.text)) == (404, sameness(nothing.text))
    assert post(site, f"/people/{theirs}", role="viewer").status_code == 404
    assert post(site, f"/people/{theirs}/remove").status_code == 404
    assert page(site, who=OTHER).one("table").text.count("canary") == 1


@pytest.mark.parametrize(
    "path", ["/people/invite", "/people/withdraw", "/people/{id}", "/people/{id}/sites", "/people/{id}/remove"]
)
def test_roles_below_change_nothing(site: Site, path: str) -> None:
    finance = member_id(site, FINANCE)
    answer = post(site, path.format(id=finance), FINANCE, role="client_admin", email="x@lusitania.example")
    assert answer.status_code == 404
    assert role_of(site, FINANCE) == "finance"


def test_a_form_of_somebody_elses_changes_nothing(site: Site) -> None:
    with site.as_member(ADMIN) as member:
        answer = member.post(f"/people/{member_id(site, FINANCE)}", data={"csrf_token": "forged", "role": "viewer"})
    assert answer.status_code == 403
    assert role_of(site, FINANCE) == "finance"


def test_the_last_administrator_stays_one(site: Site) -> None:
    mine = member_id(site, ADMIN)
    for path, fields in ((f"/people/{mine}", {"role": "viewer"}), (f"/people/{mine}/remove", {})):
        answer = post(site, path, **fields)
        assert answer.status_code == 422
        assert read(answer.text).one("p", role="alert").text == (
            "An account keeps an administrator. Make somebody else one first."
        )
    assert role_of(site, ADMIN) == "client_admin"


def test_an_administrator_may_go_when_there_is_another(site: Site) -> None:
    finance, mine = member_id(site, FINANCE), member_id(site, ADMIN)
    assert post(site, f"/people/{finance}", role="client_admin").status_code == 303
    assert post(site, f"/people/{mine}", FINANCE, role="finance").status_code == 303
    assert role_of(site, ADMIN) == "finance"
    assert post(site, f"/people/{mine}", FINANCE, role="client_admin").status_code == 303
    assert post(site, f"/people/{finance}", role="finance").status_code == 303
    with connect(site.database_url, "cdp_app") as connection:
        told = connection.execute(
            "SELECT details FROM audit_record WHERE event = 'member_role_changed' AND target = %s ORDER BY recorded_at",
            [finance],
        ).fetchall()
    assert [row[0] for row in told] == [
        {"before": "finance", "after": "client_admin"},
        {"before": "client_admin", "after": "finance"},
    ]


def test_an_invitation_is_mailed_works_once_and_for_that_address(site: Site, data_dir: Path) -> None:
    answer = post(site, "/people/invite", email="Joana@lusitania.example", role="buyer")
    assert answer.headers["location"] == "/people?done=invited"
    letter = letters(data_dir)[-1]
    assert letter["To"] == "Joana@lusitania.example"
    assert letter["Subject"] == "Sofia Reis invites you to Meridian Supply"
    listed = page(site).all("table")[1].text
    assert "Joana@" in listed
    assert "Buyer" in listed
    link = link_in(letter)
    assert "Lusitânia Gráfica" in accept(link).text
    assert role_of(site, "Joana@lusitania.example") == "buyer"
    assert accept(link, name="Somebody else").status_code == 404
    assert len(page(site).all("table")) == 1  # nobody is invited any more


def test_the_secret_of_an_invitation_is_not_kept(site: Site, data_dir: Path) -> None:
    post(site, "/people/invite", email="hash@lusitania.example", role="viewer")
    secret = link_in(letters(data_dir)[-1]).rpartition("/")[2]
    with connect(site.database_url, "cdp_app") as connection:
        kept = str(connection.execute("SELECT * FROM invite").fetchall())
    assert secret not in kept


def test_a_second_invitation_takes_the_place_of_the_first(site: Site, data_dir: Path) -> None:
    links = []
    for role in ("viewer", "finance"):
        post(site, "/people/invite", email="twice@lusitania.example", role=role)
        links.append(link_in(letters(data_dir)[-1]))
    assert page(site).all("table")[1].text.count("twice@") == 1
    with httpx2.Client() as browser:
        assert [browser.get(link).status_code for link in links] == [404, 200]


def test_a_withdrawn_invitation_is_good_for_nothing(site: Site, data_dir: Path) -> None:
    post(site, "/people/invite", email="never@lusitania.example", role="viewer")
    link = link_in(letters(data_dir)[-1])
    row = next(row for row in page(site).all("tr") if "never@" in row.text)
    invite_id = row.one("input", name="invite").attributes["value"]
    assert post(site, "/people/withdraw", OTHER, invite=invite_id).status_code == 303  # as for one that is no more
    with httpx2.Client() as browser:
        assert browser.get(link).status_code == 200
        assert post(site, "/people/withdraw", invite=invite_id).status_code == 303
        assert browser.get(link).status_code == 404


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("no address", "This is no e-mail address."),
        ("FINANCE@lusitania.example", "Somebody with this e-mail address belongs to the account already."),
    ],
)
def test_a_mistake_comes_back_to_the_form(site: Site, data_dir: Path, address: str, says: str) -> None:
    before = len(letters(data_dir))
    answer = post(site, "/people/invite", email=address, role="viewer")
    assert answer.status_code == 422
    form = read(answer.text)
    assert form.one("p", role="alert").text == says
    assert form.one("input", name="email").attributes["value"] == address
    assert len(letters(data_dir)) == before


def sites_of(site: Site, address: str) -> list[str] | None:
    with connect(site.database_url, "cdp_app") as connection:
        row = connection.execute(
            "SELECT sites FROM membership JOIN member USING (member_id) WHERE email = %s AND account_id = %s",
            [address, site.business.accounts["K-1001"]],
        ).fetchone()
    assert row
    return row[0]  # type: ignore[no-any-return]


def test_a_member_limited_to_sites_sees_their_orders_alone_from_the_next_page_on(site: Site) -> None:
    path = f"/people/{member_id(site, BUYER)}"
    assert [box.attributes["value"] for box in page(site, path).all("input", type="checkbox")] == ["Maia <b>", "Porto"]
    own, other = (f"/orders/{format_id('ord', site.business.orders[number])}" for number in ("SO-1002", "SO-1003"))
    with site.as_member(BUYER) as buyer:
        assert buyer.get(other).status_code == 200
        limited = post(site, f"{path}/sites", **{"which-sites": "only", "site-2": "Porto"})
        assert limited.headers["location"] == "/people?done=limited"
        assert [buyer.get(each).status_code for each in (own, other)] == [200, 404]
        listed = buyer.get("/orders")
        assert "You see the orders of these sites: Porto." in listed.text
        assert ("SO-1002" in listed.text, "SO-1003" in listed.text) == (True, False)
        exported = buyer.get("/orders.csv").text
        assert ("SO-1002" in exported, "SO-1003" in exported) == (True, False)
        assert buyer.get("/statement").status_code == 404
    row = next(row for row in rows(page(site).all("table")[0]) if row[0].startswith("Rui"))
    assert row[1] == "Buyer Porto"
    boxes = page(site, path).all("input", type="checkbox")
    assert [box.attributes["value"] for box in boxes if "checked" in box.attributes] == ["Porto"]
    assert "Changed which sites Rui Costa sees: from all sites to Porto." in page(site, "/activity").text
    assert post(site, f"{path}/sites", **{"which-sites": "all", "site-2": "Porto"}).status_code == 303
    assert sites_of(site, BUYER) is None
    with site.as_member(BUYER) as buyer:
        assert buyer.get(other).status_code == 200


@pytest.mark.parametrize(
    ("who", "fields", "says"),
    [
        (BUYER, {}, "Choose at least one site, or all sites."),
        (BUYER, {"site-1": "Zeppelin"}, "None of your orders names one of these sites."),
        (FINANCE, {"site-1": "Porto"}, WHOLE_ACCOUNT),
        (ADMIN, {"site-1": "Porto"}, WHOLE_ACCOUNT),
    ],
)
def test_sites_that_do_not_fit_come_back_to_the_form(site: Site, who: str, fields: dict[str, str], says: str) -> None:
    answer = post(site, f"/people/{member_id(site, who)}/sites", **{"which-sites": "only", **fields})
    assert answer.status_code == 422
    assert read(answer.text).one("p", role="alert").text == says
    assert sites_of(site, who) is None


def test_who_is_limited_to_sites_gets_no_role_that_sees_the_whole_account(site: Site) -> None:
    path = f"/people/{member_id(site, BUYER)}"
    assert post(site, f"{path}/sites", **{"which-sites": "only", "site-1": "Porto"}).status_code == 303
    for role in ("finance", "client_admin"):
        answer = post(site, path, role=role)
        assert answer.status_code == 422
        assert read(answer.text).one("p", role="alert").text == WHOLE_ACCOUNT
    assert role_of(site, BUYER) == "buyer"
    assert post(site, path, role="viewer").status_code == 303
    assert sites_of(site, BUYER) == ["Porto"]
    assert post(site, path, role="buyer").status_code == 303
    assert post(site, f"{path}/sites", **{"which-sites": "all"}).status_code == 303


def test_an_invitation_can_be_limited_to_sites(site: Site, data_dir: Path) -> None:
    before = len(letters(data_dir))
    refused = post(
        site,
        "/people/invite",
        email="s@lusitania.example",
        role="finance",
        **{"which-sites": "only", "site-1": "Porto"},
    )
    assert (refused.status_code, len(letters(data_dir))) == (422, before)
    given = {"which-sites": "only", "site-1": "Porto"}
    assert post(site, "/people/invite", email="s@lusitania.example", role="viewer", **given).status_code == 303
    row = next(row for row in page(site).all("tr") if "s@" in row.text)
    assert "Viewer Porto" in row.text
    accept(link_in(letters(data_dir)[-1]), name="Sara Lima")
    assert sites_of(site, "s@lusitania.example") == ["Porto"]
    assert "Invited somebody: Viewer, for Porto." in page(site, "/activity").text
    assert post(site, f"/people/{member_id(site, 's@lusitania.example')}/remove").status_code == 303


def test_who_is_removed_is_signed_out_at_the_next_request(site: Site) -> None:
    viewer = "viewer@lusitania.example"
    with site.as_member(viewer) as member:
        assert member.get("/orders").status_code == 200
        assert post(site, f"/people/{member_id(site, viewer)}/remove").headers["location"] == "/people?done=removed"
        assert member.get("/orders").headers["location"].startswith("/sign-in")
    assert role_of(site, viewer) is None


def test_who_signed_in_long_ago_signs_in_again_before_anything_changes(site: Site) -> None:
    finance = member_id(site, FINANCE)
    with connect(site.database_url, "cdp_app") as connection:
        connection.execute("UPDATE login_session SET authenticated_at = now() - interval '16 minutes'")
    try:
        answer = post(site, f"/people/{finance}", role="viewer")
        with site.as_member(ADMIN) as member:
            assert member.get("/people").status_code == 200
            form = member.get("/people/invite")
    finally:
        with connect(site.database_url, "cdp_app") as connection:
            connection.execute("UPDATE login_session SET authenticated_at = now()")
    assert answer.headers["location"].startswith("/sign-in?")
    assert form.headers["location"] == "/sign-in?next=%2Fpeople%2Finvite&max_age=900"
    assert role_of(site, FINANCE) == "finance"


def test_the_database_asks_again_who_it_is(site: Site) -> None:
    """The second wall alone: what the portal's role may call as somebody who is no client admin, or of another account."""
    with connect(site.database_url, "cdp_app") as connection:
        ids = dict(connection.execute("SELECT email, member_id FROM member").fetchall())
    own, other = site.business.accounts["K-1001"], site.business.accounts["K-2002"]
    for who, account in ((FINANCE, own), (ADMIN, other), (OTHER, own)):
        with connect(site.database_url, "cdp_portal") as connection:
            viewer = Member(member_id=ids[who], account_id=account, role=Role.CLIENT_ADMIN)
            connection.execute(ENTER, entry(viewer))
            for call, values in (
                ("portal_set_member_role(%s, 'client_admin')", [ids[FINANCE]]),
                ("portal_remove_member(%s)", [ids["buyer@lusitania.example"]]),
                ("portal_set_member_sites(%s, NULL)", [ids["buyer@lusitania.example"]]),
                ("portal_withdraw_invite(%s)", [uuid4()]),
                ("code FROM portal_invite('x', 'y@z.example', 'viewer', 0, 0)", []),
            ):
                assert connection.execute(f"SELECT {call}".encode(), values).fetchone() == ("not_client_admin",)
            assert connection.execute("SELECT count(*) FROM invite").fetchone() == (0,)
            assert connection.execute("SELECT count(*) FROM member WHERE member_id <> %s", [ids[who]]).fetchone() == (
                0,
            )
    assert role_of(site, FINANCE) == "finance"
