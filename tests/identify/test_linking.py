"""Single values that people decide of: linked, unlinked, blocked; each can be taken back, and none depends on order."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from cdp.errors import Mistake
from cdp.identify import Decision
from cdp.identify.claims import DecisionKind, decision_id, profile_node
from cdp.identify.identifier import Identifier
from cdp.identify.linking import Changed, link, unlink
from cdp.identify.merging import Merged, merge
from cdp.identify.unmerging import Unmerged, unmerge
from cdp.identify.valuing import block, unblock
from tests.identify.stories import (
    DATABASE,
    OTHERS,
    PEOPLE,
    SOURCES,
    Story,
    Told,
    clusters,
    clusters_by_definition,
    contacts,
    drafts_of,
    in_batches,
    stories,
    tell_all,
)
from tests.identify.test_deciding import ANNA, U1, U2, World, empty, join, part, say, who, world
from tests.identify.test_invariants import _founders, _home
from tests.identify.world import START, check, contents, decision, forget, graph, open_world, tell

__all__ = ["empty", "world"]

PHONE = ("phone", "+34600000001")


def act(world: World, verb: Any, *asked: Any, key: str | None = None) -> Changed:
    """Decide, which must work."""
    connection, _ = world
    with connection.transaction():
        made = verb(connection, *asked, author=ANNA, request_key=key)
    assert isinstance(made, Changed), made
    check(connection, is_linked=True)
    return made


def refused(world: World, verb: Any, *asked: Any) -> str:
    """A decision that is refused and changes nothing; its code."""
    connection, _ = world
    before = contents(connection)
    with connection.transaction():
        made = verb(connection, *asked, author=ANNA)
    assert isinstance(made, Mistake), made
    assert contents(connection) == before
    assert made.message.endswith(".")
    return made.code


def owner(world: World, namespace: str, value: str) -> UUID | None:
    row = (
        world[0]
        .execute("SELECT customer_id FROM identifier WHERE (namespace, value) = (%s, %s)", (namespace, value))
        .fetchone()
    )
    return row[0] if row else None


def history(world: World) -> list[tuple[Any, ...]]:
    """Events as told: kind, of whom, whose now, which values, by whom."""
    rows = world[0].execute(
        "SELECT kind, customer_id, other_customer_ids, identifiers, actor, reason FROM identity_event ORDER BY event_id"
    )
    return rows.fetchall()


# -- linking -----------------------------------------------------------------------------------------------------------------


def test_a_value_that_no_source_knows_is_the_customers_because_somebody_says_so(empty: World) -> None:
    connection, _ = empty
    say(empty, U1)
    customer = who(empty, "user_id:u1")
    before = graph(connection)
    assert act(empty, link, customer, "phone", "+34 600 000 001") == Changed(customer_ids=(customer,))
    assert owner(empty, *PHONE) == customer
    shown = connection.execute(
        """SELECT source.name, customer_identifier.verified, value_given FROM customer_identifier JOIN source USING (source_id)
        WHERE namespace = 'phone'"""
    ).fetchall()
    assert shown == [("staff", True, "+34600000001")]
    assert history(empty) == [("link", customer, [], [["phone", "+34600000001"]], "anna", "She called.")]
    say(empty, {"key": "anonymous_id:a1", "says": ["phone:600000001"], "at": 90})
    assert who(empty, "anonymous_id:a1") == customer, "whoever claims it from now on is recognised"
    forget(connection)
    say(empty, U1)
    assert graph(connection) == before


def test_a_link_is_taken_back_by_unlinking_and_leaves_no_trace(empty: World) -> None:
    say(empty, U1)
    customer, before = who(empty, "user_id:u1"), graph(empty[0])
    act(empty, link, customer, *PHONE)
    act(empty, unlink, customer, *PHONE)
    assert owner(empty, *PHONE) is None
    assert graph(empty[0]) == before
    assert [kind for kind, *_ in history(empty)] == ["link", "unlink"]
    say(empty, {"key": "user_id:u2", "says": ["phone:600000001"], "at": 90})
    assert owner(empty, *PHONE) == who(empty, "user_id:u2")


def test_what_cannot_be_linked_is_named_and_nothing_changes(empty: World) -> None:
    say(
        empty, U1, U2, *({"source": "crm", "key": f"crm_id:c{n}", "says": ["email:info@example.org"]} for n in range(4))
    )
    one, other = who(empty, "user_id:u1"), who(empty, "user_id:u2")
    nobody = profile_node(one)
    assert refused(empty, link, one, "email", "one@example.org") == "already_linked"
    assert refused(empty, link, one, "email", "two@example.org") == "belongs_to_other"
    assert refused(empty, link, one, "email", "info@example.org") == "identifier_shared"
    assert refused(empty, link, one, "email", "nonsense") == "identifier_invalid"
    assert refused(empty, link, one, *nobody) == "identifier_invalid"
    assert refused(empty, link, UUID(int=1), *PHONE) == "customer_not_found"
    act(empty, block, *PHONE)
    assert refused(empty, link, one, *PHONE) == "identifier_blocked"
    join(empty, one, other)
    assert refused(empty, unlink, one, *PHONE) == "not_linked"


# -- unlinking ---------------------------------------------------------------------------------------------------------------


MOTHER = {"key": "crm_id:mother", "source": "crm", "says": ["phone:600000001"], "at": 20}
DAUGHTER = {"key": "user_id:u1", "says": ["email:one@example.org", "phone:600000001"], "at": 10}


def test_who_was_there_by_the_value_alone_leaves_with_it(empty: World) -> None:
    say(empty, DAUGHTER, MOTHER)
    daughter = who(empty, "user_id:u1")
    assert who(empty, "crm_id:mother") == daughter
    made = act(empty, unlink, daughter, *PHONE)
    mother = who(empty, "crm_id:mother")
    assert made == Changed(customer_ids=(daughter, mother))
    assert owner(empty, *PHONE) == mother
    assert owner(empty, "email", "one@example.org") == daughter
    assert history(empty) == [("unlink", daughter, [mother], [["phone", "+34600000001"]], "anna", "She called.")]


def test_an_unlinked_value_glues_nobody_to_the_customer_whoever_claims_it_and_whenever(empty: World) -> None:
    say(empty, DAUGHTER, MOTHER)
    daughter = who(empty, "user_id:u1")
    act(empty, unlink, daughter, *PHONE)
    say(
        empty,
        # A new profile of the daughter's, and late messages older than everything, claim it beside what is hers.
        {"key": "crm_id:c7", "source": "crm", "says": ["email:one@example.org", "phone:600000001"], "at": 90},
        {"key": "anonymous_id:a1", "says": ["email:one@example.org", "phone:600000001"], "at": 0},
        {"key": "user_id:u1", "says": ["phone:600000001"], "at": 1},
        {"key": "crm_id:mother", "source": "crm", "says": ["phone:600000001"], "at": 0},
    )
    assert {who(empty, key) for key in ("user_id:u1", "crm_id:c7", "anonymous_id:a1")} == {daughter}
    assert who(empty, "crm_id:mother") != daughter
    assert owner(empty, *PHONE) == who(empty, "crm_id:mother")
    assert owner(empty, "email", "one@example.org") == daughter, "nor does it take anything from her"


def test_linking_takes_back_an_unlinking_with_all_that_left(empty: World) -> None:
    say(empty, DAUGHTER, MOTHER)
    before, daughter = graph(empty[0]), who(empty, "user_id:u1")
    act(empty, unlink, daughter, *PHONE)
    assert len(graph(empty[0])) == 2
    act(empty, link, daughter, *PHONE)
    assert graph(empty[0]) == before


def test_who_is_linked_to_one_of_two_that_were_merged_stays_with_that_one_also_if_told_of_later(empty: World) -> None:
    say(empty, U1, {**U2, "at": 1})
    one, other = who(empty, "user_id:u1"), who(empty, "user_id:u2")
    tell(empty[0], [], [decision({"link": ["user_id:u2", "crm_id:c9"]}, 5)])
    made = join(empty, one, other)
    say(empty, {"key": "crm_id:c9", "source": "crm", "at": 60})
    assert who(empty, "crm_id:c9") == one
    part(empty, made.merge_id)
    assert who(empty, "crm_id:c9") == who(empty, "user_id:u2") == other


def test_a_profiles_own_key_is_not_unlinked_but_unmerged(empty: World) -> None:
    say(empty, U1, {"key": "anonymous_id:a1", "says": ["user_id:u1"]})
    customer = who(empty, "user_id:u1")
    assert refused(empty, unlink, customer, "user_id", "u1") == "own_key"
    assert refused(empty, unlink, customer, "anonymous_id", "a1") == "own_key"


def test_an_alias_is_taken_back_by_unlinking(empty: World) -> None:
    say(empty, U1)
    tell(empty[0], [], [decision({"link": ["crm_id:old", "user_id:u1"]}, 5)])
    say(empty, {"key": "anonymous_id:a1", "says": ["crm_id:old"], "at": 50})
    customer = who(empty, "user_id:u1")
    assert who(empty, "anonymous_id:a1") == customer
    act(empty, unlink, customer, "crm_id", "old")
    assert who(empty, "anonymous_id:a1") != customer


# -- blocking ----------------------------------------------------------------------------------------------------------------


def test_a_blocked_value_never_counts_again_and_those_it_alone_held_together_part(empty: World) -> None:
    connection, _ = empty
    say(empty, DAUGHTER, MOTHER)
    before, daughter = graph(connection), who(empty, "user_id:u1")
    made = act(empty, block, "phone", "+34 600 000 001")
    mother = who(empty, "crm_id:mother")
    assert made == Changed(customer_ids=(daughter, mother))
    assert mother != daughter
    assert connection.execute("SELECT shared FROM identifier WHERE namespace = 'phone'").fetchall() == [(True,)]
    assert history(empty) == [("block", daughter, [], [["phone", "+34600000001"]], "anna", "She called.")]
    reasons = connection.execute("SELECT DISTINCT reason FROM refusal").fetchall()
    assert reasons == [("blocked",)]
    assert connection.execute("SELECT count(*) FROM review").fetchone() == (0,), "decided values are nothing to review"
    say(empty, {"key": "anonymous_id:a1", "says": ["phone:600000001"], "at": 90})
    assert len({who(empty, key) for key in ("user_id:u1", "crm_id:mother", "anonymous_id:a1")}) == 3
    assert refused(empty, block, *PHONE) == "already_blocked"
    assert refused(empty, link, daughter, *PHONE) == "identifier_blocked"
    act(empty, unblock, *PHONE)
    assert len({who(empty, key) for key in ("user_id:u1", "crm_id:mother", "anonymous_id:a1")}) == 1
    forget(connection)
    say(empty, DAUGHTER, MOTHER)
    assert graph(connection) == before


def test_a_value_may_be_blocked_before_anybody_claims_it(empty: World) -> None:
    assert act(empty, block, *PHONE) == Changed(customer_ids=())
    say(empty, DAUGHTER, MOTHER)
    assert who(empty, "user_id:u1") != who(empty, "crm_id:mother")
    act(empty, unblock, *PHONE)
    assert who(empty, "user_id:u1") == who(empty, "crm_id:mother")
    assert refused(empty, unblock, *PHONE) == "not_blocked"


def test_a_shared_value_that_is_blocked_and_unblocked_is_shared_again(empty: World) -> None:
    connection, _ = empty
    say(empty, *({"source": "crm", "key": f"crm_id:c{n}", "says": ["email:info@example.org"]} for n in range(4)))
    before = graph(connection)
    for verb in (block, unblock):
        act(empty, verb, "email", "INFO@example.org")
        assert graph(connection) == before
        assert connection.execute("SELECT shared FROM identifier WHERE namespace = 'email'").fetchall() == [(True,)]


# -- told again --------------------------------------------------------------------------------------------------------------


def test_a_request_told_again_does_nothing_whatever_was_decided_since(empty: World) -> None:
    connection, _ = empty
    say(empty, DAUGHTER, MOTHER, {"key": "user_id:u9"})
    daughter = who(empty, "user_id:u1")
    asked: Sequence[tuple[Any, ...]] = (
        (unlink, daughter, *PHONE),
        (link, daughter, *PHONE),
        (block, *PHONE),
        (unblock, *PHONE),
    )
    for number, (verb, *what) in enumerate(asked):
        act(empty, verb, *what, key=f"k{number}")
    before = contents(connection)
    for number, (verb, *what) in enumerate(asked):
        act(empty, verb, *what, key=f"k{number}")
        assert contents(connection) == before
    for verb, *what in ((block, *PHONE), (link, daughter, "email", "new@example.org")):
        with connection.transaction():
            made = verb(connection, *what, author=ANNA, request_key="k0")
        assert isinstance(made, Mistake)
        assert (made.code, made.field) == ("idempotency_key_reused", ("idempotencyKey",))
    with connection.transaction():
        merged = merge(connection, [daughter, who(empty, "user_id:u9")], author=ANNA, request_key="k0")
    assert isinstance(merged, Mistake)
    assert merged.code == "idempotency_key_reused"
    assert contents(connection) == before


# -- invariants --------------------------------------------------------------------------------------------------------------


KEYS = [Identifier(*one) for one in PEOPLE[:2] + PEOPLE[3:5] + PEOPLE[7:9]]
VALUES = [Identifier("email", value.lower()) for _, value in OTHERS[:4]]
VALUES += [Identifier("phone", f"+34{value}") for _, value in OTHERS[4:]]


def _verdict(number: int, kind: DecisionKind, one: Identifier, other: Identifier, value: Identifier) -> Decision:
    """Of two keys, of a value and a key, or of a value or a key alone, as the kind asks."""
    if kind == "unlink":
        one = value
    elif kind not in {"link", "part"}:
        one = other = value if number % 2 else one
    elif one == other:
        one = value
    return Decision(
        decision_id=decision_id(kind, one, other, "manual"),
        kind=kind,
        one=one,
        other=other,
        rule="manual",
        decided_at=START + timedelta(minutes=number),
    )


KINDS: tuple[DecisionKind, ...] = ("link", "part", "unlink", "block", "shared", "unshared")


def verdicts(kinds: Sequence[DecisionKind] = KINDS) -> st.SearchStrategy[list[Decision]]:
    """Decisions of these kinds, about keys and other values, at different times."""
    drawn = st.tuples(st.sampled_from(kinds), st.sampled_from(KEYS), st.sampled_from(KEYS), st.sampled_from(VALUES))
    return st.lists(drawn, min_size=1, max_size=4).map(
        lambda told: [_verdict(number, *one) for number, one in enumerate(told)]
    )


@DATABASE
@given(stories(2), verdicts(), st.randoms(use_true_random=False))
def test_decisions_of_every_kind_and_messages_in_any_order_end_in_the_same_graph(
    world: World, story: Story, made: list[Decision], random: Random
) -> None:
    connection, sources = world
    drafts = drafts_of(sources, story)
    told: list[Told] = [*drafts, *made]
    forget(connection)
    tell_all(connection, told)
    check(connection, is_linked=True)
    expected = graph(connection), contacts(connection)
    assert clusters(connection) == clusters_by_definition(connection, drafts, made)
    forget(connection)
    told += random.sample(told, k=len(told) // 2)
    random.shuffle(told)
    for batch in in_batches(told, random, 5):
        tell_all(connection, batch)
        check(connection, is_linked=True)
    assert (graph(connection), contacts(connection)) == expected


WHICH = st.integers(0, 20)


@DATABASE
@given(
    stories(3),
    st.lists(st.tuples(st.sampled_from([link, unlink, block]), WHICH, WHICH), min_size=1, max_size=3),
    WHICH,
    WHICH,
)
def test_a_merge_undone_is_as_if_never_merged_whatever_was_decided_before(
    world: World, story: Story, asked: list[tuple[Any, int, int]], one: int, other: int
) -> None:
    connection, sources = world
    forget(connection)
    tell_all(connection, drafts_of(sources, story))
    for verb, customer, value in asked:
        decide_something(world, verb, customer, value)
    rows = connection.execute("SELECT customer_id FROM customer WHERE kind = 'person' ORDER BY 1").fetchall()
    assume(len(rows) > 1)
    pair = [rows.pop(one % len(rows))[0], rows[other % len(rows)][0]]
    before = graph(connection), contacts(connection)
    with connection.transaction():
        made = merge(connection, pair, author=ANNA)
    assume(isinstance(made, Merged))
    assert isinstance(made, Merged)
    check(connection, is_linked=True)
    with connection.transaction():
        undone = unmerge(connection, made.merge_id, author=ANNA)
    assert isinstance(undone, Unmerged), undone
    check(connection, is_linked=True)
    assert (graph(connection), contacts(connection)) == before


@DATABASE
@given(stories(3), verdicts(), stories(1), st.tuples(WHICH, WHICH))
def test_a_merge_undone_is_as_if_never_merged_also_with_decisions_and_later_facts(
    world: World, early: Story, decided: list[Decision], late: Story, which: tuple[int, int]
) -> None:
    """Links too: what people merge was two in spite of those that they had made before."""
    connection, sources = world
    drafts = drafts_of(sources, early), drafts_of(sources, late, message="late")
    forget(connection)
    tell_all(connection, [*drafts[0], *decided])
    founders = _founders(connection)
    assume(len(founders) > 1)
    pair = [founders.pop(which[0] % len(founders)), founders[which[1] % len(founders)]]
    with connection.transaction():
        made = merge(connection, [customer for customer, *_ in pair], author=ANNA)
    if isinstance(made, Mistake):
        return
    tell_all(connection, drafts[1])
    check(connection, is_linked=True)
    with connection.transaction():
        undone = unmerge(connection, made.merge_id, author=ANNA)
    check(connection, is_linked=True)
    after, homes = (graph(connection), contacts(connection)), [_home(connection, each) for each in pair]
    forget(connection)
    tell_all(connection, [*drafts[0], *decided])
    tell_all(connection, drafts[1])
    tied = len({_home(connection, each) for each in pair}) == 1
    if isinstance(undone, Mistake):
        assert undone.code in {"already_unmerged", "cannot_be_parted"}
        assert undone.code == "cannot_be_parted" or not tied
        return
    assert len(set(homes)) == 2
    if not tied:
        assert after == (graph(connection), contacts(connection))


def decide_something(world: World, verb: Any, customer: int, value: int) -> None:
    """A decision about some customer and value, which may turn out a mistake and change nothing."""
    connection, _ = world
    values = connection.execute(
        "SELECT DISTINCT namespace, value FROM claim_identifier WHERE namespace <> 'profile' ORDER BY 1, 2"
    ).fetchall()
    customers = connection.execute("SELECT customer_id FROM customer ORDER BY 1").fetchall()
    about = values[value % len(values)]
    asked = about if verb is block else (*customers[customer % len(customers)], *about)
    before = contents(connection)
    with connection.transaction():
        made = verb(connection, *asked, author=ANNA)
    check(connection, is_linked=True)
    if isinstance(made, Mistake):
        assert contents(connection) == before


def test_sixteen_people_who_decide_while_messages_come_end_as_one_after_the_other(
    empty: World, shared_database_url: str
) -> None:
    connection, sources = empty
    random = Random(20260302)
    story: Story = [
        (
            random.choice(SOURCES),
            random.choice(PEOPLE),
            tuple(random.sample(OTHERS + PEOPLE[3:7], k=2)),
            random.randint(0, 50),
            {},
            None,
        )
        for _ in range(160)
    ]
    drafts = drafts_of(sources, story)
    tell_all(connection, drafts[:80])
    people = [one for (one,) in connection.execute("SELECT customer_id FROM customer ORDER BY 1").fetchall()]

    def work(number: int) -> list[Any]:
        own_random, answers = Random(number), []
        with open_world(shared_database_url) as own:
            for step in range(5):
                if number % 2:
                    tell_all(own, drafts[80 + number * 5 + step : 82 + number * 5 + step])
                    continue
                verb: Any = own_random.choice([link, unlink, block, unblock])
                namespace, value = own_random.choice(OTHERS)
                value = f"+34{value}" if namespace == "phone" else value
                asked = (
                    (namespace, value) if verb in {block, unblock} else (own_random.choice(people), namespace, value)
                )
                with own.transaction():
                    answers.append(verb(own, *asked, author=ANNA))
        return answers

    with ThreadPoolExecutor(16) as writers:
        answers = [one for made in writers.map(work, range(16)) for one in made]
    check(connection, is_linked=True)
    assert {type(one) for one in answers} == {Changed, Mistake}
    tell_all(connection, drafts)
    assert clusters(connection) == clusters_by_definition(connection, drafts, in_force(connection))


def in_force(connection: Any) -> list[Decision]:
    """The decisions that count."""
    rows = connection.execute(
        """SELECT decision_id, kind, one_namespace, one_value, other_namespace, other_value, rule, decided_at
        FROM decision WHERE withdrawn_at IS NULL"""
    ).fetchall()
    return [
        Decision(
            decision_id=one, kind=kind, one=Identifier(*pair[:2]), other=Identifier(*pair[2:]), rule=rule, decided_at=at
        )
        for one, kind, *pair, rule, at in rows
    ]
