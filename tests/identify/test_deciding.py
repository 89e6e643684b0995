"""What people decide, through the database: a merge undone leaves no trace, and a refusal leaves everything as it was."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection

from cdp.db.engine import connect
from cdp.db.ids import time_ordered_id
from cdp.errors import Mistake
from cdp.identify import Author
from cdp.identify.merging import Merged, merge, preview_merge
from cdp.identify.unmerging import Unmerged, unmerge
from tests.identify.world import check, contents, decision, draft, forget, graph, make_sources, open_world, tell

ANNA = Author(actor="anna", reason="She called.")
World = tuple[Connection[Any], Mapping[str, UUID]]


@pytest.fixture(scope="module")
def world(shared_database_url: str) -> Iterator[World]:
    with open_world(shared_database_url) as connection:
        yield connection, make_sources(connection, ["web", "crm"], verified=["crm"])


@pytest.fixture
def empty(world: World) -> World:
    forget(world[0])
    return world


def say(world: World, *told: Mapping[str, Any]) -> None:
    """Tell messages, each in a transaction of its own, and check what must hold."""
    connection, sources = world
    for number, one in enumerate(told):
        tell(connection, [draft(sources, one, number)])
    check(connection)


def who(world: World, key: str) -> UUID:
    """The customer of the profile with this key."""
    row = (
        world[0]
        .execute(
            "SELECT customer_id FROM profile WHERE key_namespace || ':' || key_value = %s",
            (key,),
        )
        .fetchone()
    )
    assert row is not None, key
    found: UUID = row[0]
    return found


def join(world: World, *customer_ids: UUID, key: str | None = None, author: Author = ANNA) -> Merged:
    """Merge, which must work."""
    connection, _ = world
    with connection.transaction():
        made = merge(connection, customer_ids, author=author, request_key=key)
    assert isinstance(made, Merged), made
    check(connection)
    return made


def part(world: World, merge_id: UUID) -> Unmerged:
    """Unmerge, which must work."""
    connection, _ = world
    with connection.transaction():
        made = unmerge(connection, merge_id, author=ANNA)
    assert isinstance(made, Unmerged), made
    check(connection)
    return made


def refused(world: World, *customer_ids: UUID) -> Mistake:
    """A merge that is refused, by the preview too, and changes nothing."""
    connection, _ = world
    before = contents(connection)
    with connection.transaction():
        previewed = preview_merge(connection, customer_ids)
        made = merge(connection, customer_ids, author=ANNA)
    assert isinstance(made, Mistake), made
    assert previewed == made
    assert contents(connection) == before
    return made


def merges(world: World) -> list[tuple[Any, ...]]:
    """The ledger's lines: kind, rule, actor, reason, of whom, with whom."""
    return (
        world[0]
        .execute(
            """SELECT kind, rule, actor, reason, customer_id, other_customer_ids[1] FROM customer_merge
            ORDER BY merge_id"""
        )
        .fetchall()
    )


def last_merge(world: World) -> UUID:
    """The latest record of the ledger."""
    rows = world[0].execute("SELECT merge_id FROM customer_merge ORDER BY merge_id DESC LIMIT 1").fetchall()
    found: UUID = rows[0][0]
    return found


U1 = {"key": "user_id:u1", "says": ["email:one@example.org"], "traits": {"name": "One", "city": "Oslo"}}
U2 = {"key": "user_id:u2", "says": ["email:two@example.org"], "traits": {"name": "Two", "city": "Oslo"}}
DEVICE = {"key": "anonymous_id:a1", "says": ["user_id:u2"]}


# -- merging -----------------------------------------------------------------------------------------------------------------


def test_two_user_ids_become_one_customer_with_all_that_both_had(empty: World) -> None:
    say(empty, U1, U2, DEVICE)
    older, newer = who(empty, "user_id:u1"), who(empty, "user_id:u2")
    made = join(empty, newer, older)
    assert made.customer_id == older == who(empty, "user_id:u2") == who(empty, "anonymous_id:a1")
    connection, _ = empty
    owned = connection.execute("SELECT value FROM identifier WHERE customer_id = %s ORDER BY 1", (older,)).fetchall()
    assert [value for (value,) in owned] == ["a1", "one@example.org", "two@example.org", "u1", "u2"]
    assert merges(empty)[-1] == ("merge", "manual", "anna", "She called.", older, newer)
    leads = connection.execute("SELECT customer_id, target_customer_id FROM customer_redirect").fetchall()
    assert (newer, older) in leads


def test_ids_come_back_when_a_merge_is_undone_and_facts_that_came_later_go_with_their_profile(empty: World) -> None:
    say(empty, U1, U2)
    older, newer = who(empty, "user_id:u1"), who(empty, "user_id:u2")
    made = join(empty, older, newer)
    later = [
        {"key": "user_id:u2", "says": ["phone:600000001"], "traits": {"city": "Bergen"}, "at": 60},
        {"key": "anonymous_id:a7", "says": ["user_id:u2"], "at": 61},
    ]
    say(empty, *later)
    assert who(empty, "anonymous_id:a7") == older
    assert part(empty, made.merge_id).customer_ids == (older, newer)
    assert who(empty, "user_id:u1") == older
    assert who(empty, "user_id:u2") == who(empty, "anonymous_id:a7") == newer
    parted = graph(empty[0])
    forget(empty[0])
    say(empty, U1, {**U2, "at": 1}, *later)
    assert parted == graph(empty[0])


def test_accounts_and_their_orders_come_along_and_go_back(empty: World) -> None:
    connection, sources = empty
    say(empty, U1, U2)
    older, newer = who(empty, "user_id:u1"), who(empty, "user_id:u2")
    account_id = time_ordered_id()
    given = {"account": account_id, "customer": newer, "source": sources["web"]}
    connection.execute(
        """INSERT INTO account (customer_id, account_id, profile_id, source_id, number, name, tier, currency)
        SELECT customer_id, %(account)s, profile_id, source_id, 'K-9', 'Nine', 'key', 'EUR' FROM profile
        WHERE customer_id = %(customer)s""",
        given,
    )
    connection.execute(
        """INSERT INTO sales_order (
            customer_id, account_id, profile_id, source_id, number, status, channel, placed_at, currency, total
        )
        SELECT customer_id, %(account)s, profile_id, %(source)s, 'SO-9', 'placed', 'erp', now(), 'EUR', 10 FROM profile
        WHERE customer_id = %(customer)s""",
        given,
    )

    def holders() -> list[tuple[UUID]]:
        query = "SELECT customer_id FROM account UNION ALL SELECT customer_id FROM sales_order"
        return connection.execute(query).fetchall()

    told = preview_merge(connection, [older, newer])
    assert not isinstance(told, Mistake)
    assert (told.accounts, told.orders) == (1, 1)
    made = join(empty, older, newer)
    assert holders() == [(older,), (older,)]
    part(empty, made.merge_id)
    assert holders() == [(newer,), (newer,)]
    connection.execute("DELETE FROM sales_order")
    connection.execute("DELETE FROM account")


def test_a_merge_can_be_made_and_undone_again_and_again(empty: World) -> None:
    say(empty, U1, U2)
    before = graph(empty[0])
    ids = who(empty, "user_id:u1"), who(empty, "user_id:u2")
    for _ in range(3):
        made = join(empty, *ids)
        assert len(graph(empty[0])) == 1
        part(empty, made.merge_id)
        assert graph(empty[0]) == before


def test_what_was_parted_does_not_become_one_again_by_a_message_that_ties_both(empty: World) -> None:
    say(empty, U1, {"key": "crm_id:c2", "source": "crm", "says": ["email:two@example.org"]})
    made = join(empty, who(empty, "user_id:u1"), who(empty, "crm_id:c2"))
    part(empty, made.merge_id)
    say(empty, {"key": "user_id:u1", "says": ["email:two@example.org"], "at": 60})
    assert who(empty, "user_id:u1") != who(empty, "crm_id:c2")
    join(empty, who(empty, "user_id:u1"), who(empty, "crm_id:c2"))
    assert who(empty, "user_id:u1") == who(empty, "crm_id:c2")


def test_a_merge_by_an_identifier_is_undone_too(empty: World) -> None:
    say(
        empty,
        {"key": "crm_id:c1", "source": "crm", "says": ["email:one@example.org"]},
        {"key": "crm_id:c2", "source": "crm", "says": ["phone:+34600000002"]},
        {"key": "anonymous_id:a2", "says": ["phone:+34600000002"]},
        {"key": "crm_id:c1", "source": "crm", "says": ["phone:+34600000002"], "at": 50},
    )
    assert who(empty, "crm_id:c1") == who(empty, "crm_id:c2")
    one, other = part(empty, last_merge(empty)).customer_ids
    assert who(empty, "crm_id:c1") == one
    assert who(empty, "crm_id:c2") == who(empty, "anonymous_id:a2") == other
    assert merges(empty)[-1] == ("split", "manual", "anna", "She called.", one, other)


def test_a_merge_by_a_message_that_would_have_come_first_is_undone_with_both_sides_whole(empty: World) -> None:
    says = ["phone:+34600000002"]
    say(
        empty,
        {"key": "crm_id:c2", "source": "crm", "says": says, "at": 10},
        {"key": "anonymous_id:a2", "says": says, "at": 11},
        {"key": "crm_id:c1", "source": "crm", "at": 12},
        {"key": "crm_id:c1", "source": "crm", "says": says, "at": 1},
    )
    connection, _ = empty
    assert len(graph(connection)) == 1
    part(empty, last_merge(empty))
    assert who(empty, "crm_id:c2") == who(empty, "anonymous_id:a2") != who(empty, "crm_id:c1")


def test_an_alias_is_undone_with_both_keys_where_they_were(empty: World) -> None:
    connection, _ = empty
    say(empty, U1, {"key": "anonymous_id:a9"})
    tell(connection, [], [decision({"alias": ["anonymous_id:a9", "user_id:u1"]}, 5)])
    assert who(empty, "user_id:u1") == who(empty, "anonymous_id:a9")
    one, other = part(empty, last_merge(empty)).customer_ids
    owners = dict(connection.execute("SELECT value, customer_id FROM identifier").fetchall())
    assert owners == {"u1": one, "one@example.org": one, "a9": other}


def test_three_merged_one_after_the_other_come_apart_in_any_order(empty: World) -> None:
    third = {"key": "user_id:u3", "says": ["email:three@example.org"]}
    for order in ((0, 1), (1, 0)):
        forget(empty[0])
        say(empty, U1, U2, third)
        before = graph(empty[0])
        ids = [who(empty, f"user_id:u{number}") for number in (1, 2, 3)]
        made = [join(empty, ids[0], ids[1]), join(empty, ids[1], ids[2])]
        assert len(graph(empty[0])) == 1
        part(empty, made[order[0]].merge_id)
        assert len(graph(empty[0])) == 2
        part(empty, made[order[1]].merge_id)
        assert graph(empty[0]) == before
        assert [who(empty, f"user_id:u{number}") for number in (1, 2, 3)] == ids


# -- refusals ----------------------------------------------------------------------------------------------------------------


def test_mistakes_are_named_and_change_nothing(empty: World) -> None:
    say(empty, U1, U2, {"key": "group_id:g1", "kind": "organisation"})
    one, other, group = who(empty, "user_id:u1"), who(empty, "user_id:u2"), who(empty, "group_id:g1")
    nobody = time_ordered_id()
    assert refused(empty, one).code == "two_customers"
    assert refused(empty, one, other, group).code == "two_customers"
    assert refused(empty, one, one).code == "same_customer"
    assert refused(empty, one, group).code == "kinds_differ"
    unknown = refused(empty, one, nobody)
    assert (unknown.code, unknown.field) == ("customer_not_found", ("ids", "1"))
    assert unknown.message == f"There is no customer cus_{nobody.hex}."
    join(empty, one, other)
    assert refused(empty, one, other).code == "already_merged"


def test_an_unmerge_that_cannot_be_is_named_and_changes_nothing(empty: World) -> None:
    connection, _ = empty
    say(empty, U1, U2)
    made = join(empty, who(empty, "user_id:u1"), who(empty, "user_id:u2"))
    part(empty, made.merge_id)
    split = connection.execute("SELECT merge_id FROM customer_merge WHERE kind = 'split'").fetchone()
    assert split is not None
    for merge_id, code in (
        (made.merge_id, "already_unmerged"),
        (split[0], "not_a_merge"),
        (time_ordered_id(), "merge_not_found"),
    ):
        before = contents(connection)
        with connection.transaction():
            answer = unmerge(connection, merge_id, author=ANNA)
        assert isinstance(answer, Mistake)
        assert answer.code == code
        assert contents(connection) == before


def test_a_preview_tells_what_would_come_over_and_changes_nothing(empty: World) -> None:
    connection, _ = empty
    say(empty, U1, U2, DEVICE)
    older, newer = who(empty, "user_id:u1"), who(empty, "user_id:u2")
    before = contents(connection)
    told = preview_merge(connection, [newer, older])
    assert contents(connection) == before
    assert not isinstance(told, Mistake)
    assert (told.customer_id, told.other_customer_id) == (older, newer)
    assert (told.profiles, told.identifiers, told.conflicting_traits) == (2, 3, ("name",))
    assert (told.accounts, told.orders, told.interactions) == (0, 0, 0)


# -- told again, and at once -------------------------------------------------------------------------------------------------


def test_a_request_told_again_answers_the_same_and_does_nothing(empty: World) -> None:
    connection, _ = empty
    say(empty, U1, U2, {"key": "user_id:u3"})
    ids = who(empty, "user_id:u1"), who(empty, "user_id:u2")
    made = join(empty, *ids, key="k1")
    before = contents(connection)
    assert join(empty, *ids, key="k1") == made
    assert contents(connection) == before
    with connection.transaction():
        other = merge(connection, [ids[0], who(empty, "user_id:u3")], author=ANNA, request_key="k1")
    assert isinstance(other, Mistake)
    assert other.code == "idempotency_key_reused"
    assert contents(connection) == before
    part(empty, made.merge_id)
    before = contents(connection)
    assert join(empty, *ids, key="k1").merge_id == made.merge_id, "still the same request, long done"
    assert contents(connection) == before


def test_merges_at_once_end_as_some_order_of_them_would(empty: World, shared_database_url: str) -> None:
    connection, _ = empty
    say(empty, *({"key": f"user_id:u{number}"} for number in range(8)))
    before = graph(connection)
    ids = [who(empty, f"user_id:u{number}") for number in range(8)]
    pairs = [(ids[number], ids[(number + 1) % 8]) for number in range(8)] * 2
    Random(7).shuffle(pairs)

    def act(pair: tuple[UUID, UUID]) -> Merged | Mistake:
        with connect(shared_database_url) as own:
            return merge(own, pair, author=ANNA)

    with ThreadPoolExecutor(16) as people:
        answers = list(people.map(act, pairs))
    check(connection)
    made = [one for one in answers if isinstance(one, Merged)]
    assert len(made) == 7, "seven merges make one of eight, whatever their order"
    assert {one.code for one in answers if isinstance(one, Mistake)} == {"already_merged"}
    assert len(graph(connection)) == 1
    for one in made:
        part(empty, one.merge_id)
    assert graph(connection) == before
