"""The queue of what people should look at: what is listed, what accepting and refusing do, and that a refusal is final."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from cdp.errors import Mistake
from cdp.identify.findings import Finding, open_reviews
from cdp.identify.reviewing import Review, accept, assign, listed, refuse, waiting
from cdp.identify.ruling import set_rules
from cdp.identify.unmerging import unmerge
from tests.identify.test_deciding import ANNA, U1, U2, World, empty, join, say, who, world
from tests.identify.world import check, contents, graph

__all__ = ["empty", "world"]

FAMILY = [
    {"key": "user_id:u1", "says": ["email:family@example.org"]},
    {"key": "user_id:u2", "says": ["email:family@example.org"]},
]
COLLEAGUES = [{"source": "crm", "key": f"crm_id:c{n}", "says": ["email:info@example.org"]} for n in range(4)]


def queue(world: World, **given: Any) -> list[Review]:
    return listed(world[0], **given)


def only(world: World, kind: str) -> Review:
    [found] = queue(world)
    assert found.kind == kind
    return found


def decide(world: World, verb: Any, review: Review) -> Review:
    connection, _ = world
    with connection.transaction():
        made = verb(connection, review.review_id, author=ANNA)
    assert isinstance(made, Review), made
    check(connection, is_linked=True)
    return made


def mistake(world: World, verb: Any, review: Review) -> str:
    connection, _ = world
    before = contents(connection)
    with connection.transaction():
        made = verb(connection, review.review_id, author=ANNA)
    assert isinstance(made, Mistake), made
    assert contents(connection) == before
    assert made.field == ("id",)
    return made.code


# -- customers that a limit keeps apart --------------------------------------------------------------------------------------


def test_two_users_of_one_mailbox_are_listed_once_with_what_they_share(empty: World) -> None:
    say(
        empty,
        *FAMILY,
        {**FAMILY[1], "traits": {"name": "Two"}},
        {"key": "user_id:u1", "says": [*FAMILY[0]["says"], "phone:600000001"]},
    )
    found = only(empty, "refusal")
    assert found.identifier == ("email", "family@example.org")
    assert found.customer_ids == (who(empty, "user_id:u1"), who(empty, "user_id:u2"))
    assert (found.state, found.decided_at, found.assigned_staff_id) == ("open", None, None)
    assert waiting(empty[0]) == {"refusal": 1}


def test_accepting_a_refused_merge_merges_after_all_and_can_be_undone(empty: World) -> None:
    say(empty, *FAMILY)
    before = graph(empty[0])
    made = decide(empty, accept, only(empty, "refusal"))
    assert (made.state, made.decided_by, made.reason) == ("accepted", "anna", "She called.")
    assert who(empty, "user_id:u1") == who(empty, "user_id:u2")
    assert made.merge_id is not None
    assert decide(empty, accept, made) == made, "twice is once"
    with empty[0].transaction():
        unmerge(empty[0], made.merge_id, author=ANNA)
    assert graph(empty[0]) == before


def test_refusing_a_merge_parts_for_good_and_the_same_never_comes_back(empty: World) -> None:
    say(empty, *FAMILY)
    made = decide(empty, refuse, only(empty, "refusal"))
    assert made.state == "refused"
    say(
        empty,
        {"key": "user_id:u2", "says": ["email:family@example.org", "phone:600000001"], "at": 90},
        {"key": "user_id:u1", "says": ["phone:600000001"], "at": 91},
        {"key": "crm_id:c1", "source": "crm", "says": ["email:family@example.org", "phone:600000001"], "at": 92},
    )
    assert queue(empty) == []
    assert who(empty, "user_id:u1") != who(empty, "user_id:u2")
    assert open_reviews(empty[0], [Finding(kind="refusal", customer_ids=made.customer_ids)]) == 0
    assert decide(empty, refuse, made).state == "refused"


def test_what_is_no_longer_refused_leaves_the_list(empty: World) -> None:
    say(empty, *FAMILY)
    assert len(queue(empty)) == 1
    join(empty, who(empty, "user_id:u1"), who(empty, "user_id:u2"))
    assert queue(empty) == []


# -- matches -----------------------------------------------------------------------------------------------------------------


def proposed(world: World, *ids: UUID, weight: float = 6.5) -> Review:
    explanation = {"name": {"one": "Ana", "other": "Anna", "weight": 4.0}}
    assert (
        open_reviews(world[0], [Finding(kind="match", customer_ids=ids, weight=weight, explanation=explanation)]) == 1
    )
    [found] = queue(world, kinds=("match",))
    assert (found.weight, found.explanation) == (weight, explanation)
    return found


def test_accepting_a_match_merges_by_hand(empty: World) -> None:
    say(empty, U1, U2)
    made = decide(empty, accept, proposed(empty, who(empty, "user_id:u2"), who(empty, "user_id:u1")))
    assert (made.state, who(empty, "user_id:u1")) == ("accepted", who(empty, "user_id:u2"))


def test_refusing_a_match_holds_against_messages_that_tie_both(empty: World) -> None:
    say(empty, {"key": "crm_id:c1", "source": "crm"}, {"key": "crm_id:c2", "source": "crm"})
    ids = who(empty, "crm_id:c1"), who(empty, "crm_id:c2")
    made = decide(empty, refuse, proposed(empty, *ids))
    say(empty, *({"key": f"crm_id:c{n}", "source": "crm", "says": ["phone:600000001"]} for n in (1, 2)))
    assert (who(empty, "crm_id:c1"), who(empty, "crm_id:c2")) == ids
    assert open_reviews(empty[0], [Finding(kind="match", customer_ids=ids, weight=20.0)]) == 0
    assert decide(empty, accept, made).state == "accepted", "somebody who knows better still can"
    assert who(empty, "crm_id:c1") == who(empty, "crm_id:c2")
    assert mistake(empty, refuse, made) == "already_merged"


def test_a_pair_that_is_listed_twice_over_is_decided_once(empty: World) -> None:
    say(empty, *FAMILY)
    refusal = only(empty, "refusal")
    match = proposed(empty, *refusal.customer_ids)
    decide(empty, refuse, match)
    assert queue(empty) == []
    assert [one.kind for one in queue(empty, states=("refused",))] == ["match"], "what is parted is no refused merge"


def test_a_match_that_became_one_otherwise_leaves_the_list(empty: World) -> None:
    say(empty, U1, U2)
    match = proposed(empty, who(empty, "user_id:u1"), who(empty, "user_id:u2"))
    join(empty, *match.customer_ids)
    assert queue(empty) == []
    assert mistake(empty, accept, match) == "review_not_found"


def test_a_match_that_cannot_be_merged_stays_open_and_says_why(empty: World) -> None:
    say(empty, U1, {"key": "group_id:g1", "kind": "organisation"})
    match = proposed(empty, who(empty, "user_id:u1"), who(empty, "group_id:g1"))
    assert mistake(empty, accept, match) == "kinds_differ"


# -- shared values -----------------------------------------------------------------------------------------------------------


def test_a_shared_mailbox_is_listed_once_and_stays_shared_when_accepted(empty: World) -> None:
    say(empty, *COLLEAGUES)
    found = only(empty, "shared")
    assert found.identifier == ("email", "info@example.org")
    assert found.customer_ids == ()
    before = graph(empty[0])
    assert decide(empty, accept, found).state == "accepted"
    say(empty, {"source": "crm", "key": "crm_id:c9", "says": ["email:info@example.org"]})
    assert queue(empty) == []
    assert len(graph(empty[0])) == len(before) + 1


def test_a_mailbox_that_is_not_shared_after_all_ties_whom_limits_allow(empty: World) -> None:
    say(empty, *COLLEAGUES)
    found = only(empty, "shared")
    assert len(graph(empty[0])) == 4
    decide(empty, refuse, found)
    assert len(graph(empty[0])) == 1
    say(empty, {"source": "crm", "key": "crm_id:c9", "says": ["email:info@example.org"]})
    assert queue(empty) == [], "what was decided is not listed again"
    decide(empty, accept, found)
    assert len(graph(empty[0])) == 5, "decided anew"


# -- handing over ------------------------------------------------------------------------------------------------------------


def test_a_line_is_handed_to_somebody_and_back(empty: World) -> None:
    connection, _ = empty
    say(empty, *FAMILY)
    row = connection.execute(
        "INSERT INTO staff (email, name) VALUES ('bo@example.org', 'Bo') ON CONFLICT DO NOTHING RETURNING staff_id"
    ).fetchone()
    assert row is not None
    found = only(empty, "refusal")
    given = assign(connection, found.review_id, "BO@example.org")
    assert isinstance(given, Review)
    assert given.assigned_staff_id == row[0]
    assert queue(empty, assigned_staff_id=row[0]) == [given]
    back = assign(connection, found.review_id, None)
    assert back == found
    nobody = assign(connection, found.review_id, "nobody@example.org")
    assert isinstance(nobody, Mistake)
    assert (nobody.code, nobody.field) == ("staff_not_found", ("email",))


def test_the_queue_is_read_page_by_page_longest_waiting_first(empty: World) -> None:
    found = [Finding(kind="shared", identifier=("email", f"m{n}@example.org")) for n in range(5)]  # type: ignore[arg-type]
    for one in found:
        open_reviews(empty[0], [one])
    pages, after = [], None
    while page := queue(empty, most=2, after=after):
        pages.append([one.review_id for one in page])
        after = page[-1].review_id
    assert pages == [[one.review_id for one in found[start : start + 2]] for start in (0, 2, 4)]
    assert waiting(empty[0]) == {"shared": 5}


# -- quarantine --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(empty: World) -> Iterator[None]:
    """Customers of at most three profiles."""
    connection, _ = empty
    with connection.transaction():
        set_rules(connection, {"size": {"profiles": 3}}, actor="anna")
    yield
    with connection.transaction():
        set_rules(connection, {}, actor="anna")


DEVICES = [{"key": f"anonymous_id:a{n}", "says": ["user_id:u1"]} for n in range(4)]


@pytest.mark.usefixtures("small")
def test_a_quarantined_customer_is_listed_and_grows_when_accepted(empty: World) -> None:
    say(empty, {"key": "user_id:u1"}, *DEVICES)
    found = only(empty, "quarantine")
    assert found.customer_ids == (who(empty, "user_id:u1"),)
    assert found.explanation == {"reason": "profiles", "profiles": 3, "identifiers": found.explanation["identifiers"]}
    assert decide(empty, accept, found).state == "accepted"
    assert len({who(empty, f"anonymous_id:a{n}") for n in range(4)}) == 1
    events = empty[0].execute("SELECT kind, actor FROM identity_event ORDER BY event_id").fetchall()
    assert events == [("quarantine", "system"), ("release", "anna")]
    assert queue(empty) == []


@pytest.mark.usefixtures("small")
def test_a_quarantine_that_is_refused_stays_and_is_not_listed_again(empty: World) -> None:
    say(empty, {"key": "user_id:u1"}, *DEVICES)
    made = decide(empty, refuse, only(empty, "quarantine"))
    before = graph(empty[0])
    say(empty, *({**one, "at": 60 + n} for n, one in enumerate(DEVICES)))
    assert queue(empty) == []
    assert len(graph(empty[0])) == len(before)
    assert decide(empty, refuse, made) == made
