"""The six invariants of `identity.md` again, with sixteen writers at once whose messages are about the same people.

An example is fifty stories, each in a world of its own: twenty examples are a thousand stories, each told by several at once. A
writer does as a stitcher does: it looks ahead of the lock, holds it, applies, and commits.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from cdp.db.locks import hold_customers_exclusive
from cdp.errors import Mistake
from cdp.events.interactions import InteractionTold, contacts_of, record_contacts
from cdp.identify import ClaimDraft, attach
from cdp.identify.gathering import gather
from cdp.identify.looking_ahead import look_ahead
from cdp.identify.merging import Merged, merge
from cdp.identify.rebuilding import check as check_anew
from cdp.identify.rules import DEFAULT_RULES, Rules
from cdp.identify.ruling import set_rules
from cdp.identify.unmerging import Unmerged, unmerge
from tests.identify.stories import (
    INVARIANT,
    OTHERS,
    PEOPLE,
    SMALL,
    SOURCES,
    Story,
    drafts_of,
    standing,
    stories,
    with_organisations,
)
from tests.identify.test_invariants import ANNA, beyond_limits
from tests.identify.world import START, Graph, check, contents, forget, make_sources, open_world

Rows = list[tuple[Any, ...]]

WRITERS = 16
STORIES = 50
SIXTEEN = settings(INVARIANT, max_examples=20, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A world, and sixteen who write to it at once, each with a connection of their own."""

    connection: Connection[Any]
    sources: Mapping[str, UUID]
    writers: Sequence[Connection[Any]]
    pool: ThreadPoolExecutor

    def at_once(self, act: Callable[[Connection[Any], int], Any]) -> list[Any]:
        """What each of the writers answers. Raises what any of them raises, a deadlock say."""
        return list(self.pool.map(act, self.writers, range(len(self.writers))))


@pytest.fixture(scope="module")
def office(shared_database_url: str) -> Iterator[Office]:
    with ExitStack() as stack:
        connection, *writers = (stack.enter_context(open_world(shared_database_url)) for _ in range(1 + WRITERS))
        pool = stack.enter_context(ThreadPoolExecutor(WRITERS))
        sources = make_sources(connection, SOURCES, verified=["crm"])
        yield Office(connection=connection, sources=sources, writers=writers, pool=pool)


MANY = st.lists(stories(2, 9), min_size=STORIES, max_size=STORIES)


@SIXTEEN
@given(MANY, st.sampled_from([DEFAULT_RULES, SMALL]), st.randoms(use_true_random=False))
def test_1_2_4_5_6_sixteen_writers_end_as_one_would_and_their_replays_change_nothing(
    office: Office, told: list[Story], rules: Rules, random: Random
) -> None:
    drafts = [one for world, story in enumerate(told) for one in drafts_of(office.sources, story, world=f"{world:02}")]
    connection = office.connection
    forget(connection)
    stitch(connection, drafts, rules)
    expected = standing(connection)

    forget(connection)
    dealt = deal(drafts, random)

    def write(own: Connection[Any], number: int) -> None:
        for start in range(0, len(dealt[number]), 8):
            stitch(own, dealt[number][start : start + 8], rules)

    office.at_once(write)
    check(connection)
    assert beyond_limits(connection, rules) == []
    assert standing(connection) == expected
    assert check_anew(connection, rules=rules).differences == ()
    before = contents(connection)
    office.at_once(lambda own, number: stitch(own, dealt[number][: 1 + number], rules))
    assert contents(connection) == before


@SIXTEEN
@given(MANY, st.randoms(use_true_random=False))
def test_3_what_is_merged_and_unmerged_while_messages_come_is_as_if_never_merged(
    office: Office, told: list[Story], random: Random
) -> None:
    """One pair of customers a story; where messages tie the two as well, they stay apart all the same."""
    connection = office.connection
    drafts = [drafts_of(office.sources, story, world=f"{world:02}") for world, story in enumerate(told)]
    early = [one for story in drafts for one in story[: len(story) // 2 + 1]]
    late = [one for story in drafts for one in story[len(story) // 2 + 1 :]]
    forget(connection)
    stitch(connection, early, DEFAULT_RULES)
    pairs = _pairs(connection)
    with connection.transaction(force_rollback=True):
        stitch(connection, late, DEFAULT_RULES)
        never_merged = by_world(standing(connection))
    dealt = deal(late, random)
    of_writers = dict(zip(range(WRITERS), random.sample(sorted(pairs), min(WRITERS, len(pairs))), strict=False))

    def write(own: Connection[Any], number: int) -> str | None:
        """Merge two, tell something, part them again, tell the rest; what came of it."""
        hand, world = dealt[number], of_writers.get(number)
        made = None if world is None else _merge(own, pairs[world])
        stitch(own, hand[: len(hand) // 2], DEFAULT_RULES)
        answer = _unmerge(own, made) if isinstance(made, Merged) else None
        stitch(own, hand[len(hand) // 2 :], DEFAULT_RULES)
        return answer

    answers = dict(zip(of_writers.values(), office.at_once(write), strict=False))
    check(connection)
    assert check_anew(connection).differences == ()
    after = by_world(standing(connection))
    assert all(len(_homes(connection, pairs[world])) == 2 for world, one in answers.items() if one == "unmerged")
    strangers = _strangers([*early, *late], pairs)
    assert all(answers[world] == "unmerged" for world in strangers & answers.keys())
    for world in never_merged.keys() - answers.keys() | strangers:
        assert after[world] == never_merged[world]


@pytest.mark.parametrize("in_force", [{}, {"size": {"profiles": 4, "identifiers": 8, "statements": 10}}])
def test_sixteen_writers_whose_messages_are_all_about_the_same_people(office: Office, in_force: dict[str, Any]) -> None:
    connection, random = office.connection, Random(20260301)
    with connection.transaction():
        set_rules(connection, in_force, actor="test")
    people = [*PEOPLE, *((namespace, f"{value}{n}") for namespace, value in PEOPLE[-3:] for n in range(2))]
    messages = [
        (
            random.choice(SOURCES),
            random.choice(people),
            tuple(random.sample(OTHERS + PEOPLE[3:7], k=2)),
            random.randint(0, 50),
            {"city": random.choice("xy")},
            None,
        )
        for _ in range(320)
    ]
    drafts = drafts_of(office.sources, messages)
    forget(connection)
    stitch(connection, drafts)
    expected = standing(connection)
    assert bool(expected[2]) == bool(in_force)
    forget(connection)
    random.shuffle(drafts)

    def write(own: Connection[Any], number: int) -> None:
        """Each writer has twenty messages, and the next writer has half of them too."""
        mine = (drafts + drafts)[number * 20 : number * 20 + 30]
        for start in range(0, len(mine), 5):
            stitch(own, mine[start : start + 5])

    office.at_once(write)
    check(connection)
    assert standing(connection) == expected
    assert check_anew(connection).differences == ()
    with connection.transaction():
        set_rules(connection, {}, actor="test")


def stitch(connection: Connection[Any], drafts: Sequence[ClaimDraft], rules: Rules | None = None) -> None:
    """One batch, one transaction, as a stitcher does it."""
    told = gather(with_organisations(drafts), dict.fromkeys({one.source_id for one in drafts}, "ES"))
    contacts = contacts_of(
        [
            (
                START,
                InteractionTold(
                    source_id=one.source_id,
                    external_id=one.message_id,
                    kind="page",
                    channel="web",
                    occurred_at=one.at,
                ),
            )
            for one in drafts
        ]
    )
    with connection.transaction():
        foreseen = look_ahead(connection, told)
        hold_customers_exclusive(connection)
        with connection.pipeline():
            homes = attach(connection, told, rules=rules, foreseen=foreseen)[: len(drafts)]
            record_contacts(connection, contacts, [(one.customer_id, one.profile_id) for one in homes])


def deal(drafts: Sequence[ClaimDraft], random: Random) -> list[list[ClaimDraft]]:
    """A hand for each writer: all messages in any order, and every other one is in two hands."""
    cards = [*drafts, *random.sample(drafts, k=len(drafts) // 2)]
    random.shuffle(cards)
    return [cards[number::WRITERS] for number in range(WRITERS)]


def by_world(found: tuple[Graph, Rows, Rows]) -> dict[str, tuple[Graph, Rows, Rows]]:
    """What stands, of each world by itself: a world's number begins each of its profiles' keys."""
    customers, contacts, quarantined = found
    of_customers: defaultdict[str, set[Any]] = defaultdict(set)
    for one in customers:
        of_customers[min(one[0]).partition(":")[2][:2]].add(one)
    return {
        world: (
            frozenset(members),
            [row for row in contacts if row[1][:2] == world],
            [row for row in quarantined if row[1][:2] == world],
        )
        for world, members in of_customers.items()
    }


def _pairs(connection: Connection[Any]) -> dict[str, list[tuple[UUID, UUID, str]]]:
    """Two persons of each world that has two: customer, the profile it began with, and that profile's key."""
    people: defaultdict[str, list[tuple[UUID, UUID, str]]] = defaultdict(list)
    for world, *person in connection.execute(
        """SELECT left(key_value, 2), customer_id, profile_id, concat(source_id, key_namespace, key_value) FROM profile
        WHERE founded_customer_id = customer_id AND kind = 'person' ORDER BY source_id, key_namespace, key_value"""
    ):
        people[world].append((person[0], person[1], person[2]))
    return {world: found[:2] for world, found in people.items() if len(found) > 1}


def _strangers(drafts: Sequence[ClaimDraft], pairs: Mapping[str, list[tuple[UUID, UUID, str]]]) -> set[str]:
    """The worlds in which no chain of messages whatever leads from the one of the pair to the other."""
    groups: list[set[str]] = []
    for draft in drafts:
        key = f"{draft.source_id}{draft.namespace}{draft.value}"
        nodes = {key, f"{draft.namespace}:{draft.value}", *(f"{name}:{value}" for name, value in draft.identifiers)}
        nodes = nodes.union(*(group for group in groups if group & nodes))
        groups = [group for group in groups if not group <= nodes] + [nodes]
    return {world for world, (one, other) in pairs.items() if not any({one[2], other[2]} <= group for group in groups)}


def _homes(connection: Connection[Any], pair: Sequence[tuple[UUID, UUID, str]]) -> set[UUID]:
    rows = connection.execute(
        "SELECT customer_id FROM profile WHERE profile_id = ANY (%s)", ([one[1] for one in pair],)
    )
    return {one for (one,) in rows}


def _merge(connection: Connection[Any], pair: Sequence[tuple[UUID, UUID, str]]) -> Merged | Mistake:
    with connection.transaction():
        return merge(connection, [one[0] for one in pair], author=ANNA)


def _unmerge(connection: Connection[Any], made: Merged) -> str:
    with connection.transaction():
        undone = unmerge(connection, made.merge_id, author=ANNA)
    return "unmerged" if isinstance(undone, Unmerged) else undone.code
