"""Single values that people decide of: linked, unlinked, blocked; each can be taken back, and none depends on order."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from cdp.db.engine import connect
from cdp.errors import Mistake
from cdp.identify import ClaimDraft, Decision
from cdp.identify.claims import decision_id, profile_node
from cdp.identify.identifier import Identifier
from cdp.identify.linking import Changed, link, unlink
from cdp.identify.merging import Merged, merge
from cdp.identify.unmerging import Unmerged, unmerge
from cdp.identify.valuing import block, unblock
from tests.identify.test_deciding import ANNA, U1, U2, World, _home, empty, join, say, who, world
from tests.identify.test_invariants import (
    DATABASE,
    OTHERS,
    PEOPLE,
    _clusters,
    _contacts,
    _draft,
    _groups_told,
    _pure,
    _tell,
    stories,
)
from tests.identify.world import check, contents, decision, forget, graph, tell

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


@st.composite
def verdicts(draw: st.DrawFn) -> list[Decision]:
    """Decisions of all kinds, about keys and other values, at different times."""
    nodes = [Identifier(*one) for one in PEOPLE[:3] + PEOPLE[5:7] + PEOPLE[12:14]]
    values = [Identifier(ns, {"email": str.lower, "phone": "+34{}".format}[ns](value)) for ns, value in OTHERS[:7]]
    made = []
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["link", "part", "unlink", "block", "shared", "unshared"]))
        one = draw(st.sampled_from(nodes + values if kind != "unlink" else values))
        other = one
        if kind in {"link", "part", "unlink"}:
            other = draw(st.sampled_from([node for node in nodes if node != one]))
        made.append(
            Decision(
                decision_id=decision_id(kind, one, other, "manual"),
                kind=kind,  # type: ignore[arg-type]
                one=one,
                other=other,
                rule="manual",
                decided_at=decision({"link": ["a:b", "c:d"]}, number).decided_at,
            )
        )
    return made


@DATABASE
@given(stories(), verdicts(), st.randoms(use_true_random=False))
def test_decisions_of_every_kind_and_messages_in_any_order_end_in_the_same_graph(
    world: World, told: list[dict[str, Any]], made: list[Decision], random: Random
) -> None:
    connection, sources = world
    drafts = [*_groups_told(sources, told), *(_draft(sources, one) for one in told)]
    forget(connection)
    _tell(connection, drafts, made)
    check(connection, is_linked=True)
    expected, expected_contacts = graph(connection), _contacts(connection)
    assert _clusters(connection) == _pure(connection, drafts, made)
    forget(connection)
    messages: list[ClaimDraft | Decision] = [*drafts, *made]
    messages += random.sample(messages, k=len(messages) // 2)
    random.shuffle(messages)
    while messages:
        size = random.randint(1, 5)
        batch, messages = messages[:size], messages[size:]
        _tell(
            connection,
            [one for one in batch if isinstance(one, ClaimDraft)],
            [one for one in batch if isinstance(one, Decision)],
        )
        check(connection, is_linked=True)
    assert graph(connection) == expected
    assert _contacts(connection) == expected_contacts


@DATABASE
@given(stories(), st.data())
def test_a_merge_undone_is_as_if_never_merged_whatever_was_decided_before(
    world: World, told: list[dict[str, Any]], data: st.DataObject
) -> None:
    connection, sources = world
    forget(connection)
    _tell(connection, [*_groups_told(sources, told), *(_draft(sources, one) for one in told)])
    for verb in data.draw(st.lists(st.sampled_from([link, unlink, block]), min_size=1, max_size=3)):
        decide_something(world, verb, data)
    rows = connection.execute("SELECT customer_id FROM customer WHERE kind = 'person' ORDER BY 1").fetchall()
    assume(len(rows) > 1)
    pair = data.draw(st.lists(st.sampled_from([one for (one,) in rows]), min_size=2, max_size=2, unique=True))
    before = graph(connection), _contacts(connection)
    with connection.transaction():
        made = merge(connection, pair, author=ANNA)
    assume(isinstance(made, Merged))
    assert isinstance(made, Merged)
    check(connection, is_linked=True)
    with connection.transaction():
        undone = unmerge(connection, made.merge_id, author=ANNA)
    assert isinstance(undone, Unmerged), undone
    check(connection, is_linked=True)
    assert (graph(connection), _contacts(connection)) == before


@DATABASE
@given(stories(), verdicts(), stories(), st.data())
def test_a_merge_undone_is_as_if_never_merged_also_with_decisions_and_later_facts(
    world: World,
    early: list[dict[str, Any]],
    decided: list[Decision],
    late: list[dict[str, Any]],
    data: st.DataObject,
) -> None:
    connection, sources = world
    late = [{**one, "message": f"late-{one['message']}"} for one in late]
    drafts = [_groups_told(sources, told) + [_draft(sources, one) for one in told] for told in (early, late)]
    forget(connection)
    _tell(connection, drafts[0], decided)
    founders = connection.execute(
        """SELECT founded_customer_id, kind, source_id, key_namespace, key_value FROM profile
        WHERE founded_customer_id = customer_id ORDER BY 3, 4, 5"""
    ).fetchall()
    assume(len(founders) > 1)
    pair = data.draw(st.lists(st.sampled_from(founders), min_size=2, max_size=2, unique=True))
    with connection.transaction():
        made = merge(connection, [one[0] for one in pair], author=ANNA)
    if isinstance(made, Mistake):
        return
    _tell(connection, drafts[1])
    check(connection, is_linked=True)
    with connection.transaction():
        undone = unmerge(connection, made.merge_id, author=ANNA)
    check(connection, is_linked=True)
    after, homes = (graph(connection), _contacts(connection)), [_home(connection, one) for one in pair]
    forget(connection)
    _tell(connection, drafts[0], decided)
    _tell(connection, drafts[1])
    tied = len({_home(connection, one) for one in pair}) == 1
    if isinstance(undone, Mistake):
        assert undone.code in {"already_unmerged", "cannot_be_parted"}
        assert undone.code == "cannot_be_parted" or not tied
        return
    assert len(set(homes)) == 2
    if not tied:
        assert after == (graph(connection), _contacts(connection))


def decide_something(world: World, verb: Any, data: st.DataObject) -> None:
    """A decision about some customer and value, which may turn out a mistake and change nothing."""
    connection, _ = world
    values = connection.execute(
        "SELECT DISTINCT namespace, value FROM claim_identifier WHERE namespace <> 'profile' ORDER BY 1, 2"
    ).fetchall()
    customers = connection.execute("SELECT customer_id FROM customer ORDER BY 1").fetchall()
    about = data.draw(st.sampled_from(values))
    asked = about if verb is block else (*data.draw(st.sampled_from(customers)), *about)
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
    told: list[dict[str, Any]] = [
        {
            "source": random.choice(["web", "crm"]),
            "key": random.choice(PEOPLE),
            "says": random.sample(OTHERS + PEOPLE[5:9], k=2),
            "at": random.randint(0, 50),
            "message": f"m{number:03}",
            "kind": "person",
            "traits": {},
            "group": None,
        }
        for number in range(160)
    ]
    drafts = [_draft(sources, one) for one in told]
    _tell(connection, drafts[:80])
    people = [one for (one,) in connection.execute("SELECT customer_id FROM customer ORDER BY 1").fetchall()]

    def work(number: int) -> list[Any]:
        own_random, answers = Random(number), []
        with connect(shared_database_url, autocommit=True) as own:
            for step in range(5):
                if number % 2:
                    _tell(own, drafts[80 + number * 5 + step : 82 + number * 5 + step])
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
    _tell(connection, drafts)
    assert _clusters(connection) == _pure(connection, drafts, in_force(connection))


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
