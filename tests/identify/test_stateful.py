"""Identity as a machine: messages, replays, merges, partings and quarantines in any order; after each all invariants hold."""

from collections.abc import Sequence
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg import Connection

from cdp.errors import Mistake
from cdp.identify import Author, ClaimDraft
from cdp.identify.merging import Merged, merge
from cdp.identify.quarantining import let_grow
from cdp.identify.rebuilding import rebuild
from cdp.identify.rules import Rules, Size
from cdp.identify.unmerging import Unmerged, unmerge
from tests.identify.stories import INVARIANT, SOURCES, Story, drafts_of, stories, tell_all
from tests.identify.world import check, contents, forget, graph, make_sources, open_world

RULES = Rules(size=Size(profiles=5, identifiers=9, statements=7))
ANNA = Author(actor="anna", reason="She called.")
WHICH = st.integers(0, 20)


class Identity(RuleBasedStateMachine):
    """What anybody may do to customers."""

    connection: ClassVar[Connection[Any]]
    sources: ClassVar[dict[str, Any]]

    @initialize(story=stories(2, 8))
    def begin(self, story: Story) -> None:
        forget(self.connection)
        self.told: list[ClaimDraft] = []
        self.merges: list[Merged] = []
        self.tell(story)

    @rule(story=stories(1, 4))
    def tell(self, story: Story) -> None:
        drafts = drafts_of(self.sources, story, message=f"m{len(self.told):03}")
        tell_all(self.connection, drafts, rules=RULES)
        self.told += drafts

    @rule(length=WHICH)
    def replay(self, length: int) -> None:
        """Invariant 2, also after what people decided since."""
        before = contents(self.connection)
        tell_all(self.connection, self.told[: 1 + length % len(self.told)], rules=RULES)
        assert contents(self.connection) == before

    @rule(one=WHICH, other=WHICH)
    def merge(self, one: int, other: int) -> None:
        """A mistake leaves all as it was."""
        before = contents(self.connection)
        made = self._merge(one, other)
        if isinstance(made, Merged):
            self.merges.append(made)
        else:
            assert contents(self.connection) == before

    @rule(one=WHICH, other=WHICH)
    def merge_and_part(self, one: int, other: int) -> None:
        """Invariant 3."""
        customers = graph(self.connection)
        made = self._merge(one, other)
        if isinstance(made, Merged):
            with self.connection.transaction():
                parted = unmerge(self.connection, made.merge_id, author=ANNA, rules=RULES)
            assert isinstance(parted, Unmerged), parted
            assert graph(self.connection) == customers

    @precondition(lambda self: self.merges)
    @rule(which=WHICH)
    def part(self, which: int) -> None:
        """Later, with what came in between; a mistake leaves all as it was."""
        before = contents(self.connection)
        with self.connection.transaction():
            made = unmerge(self.connection, self.merges[which % len(self.merges)].merge_id, author=ANNA, rules=RULES)
        if isinstance(made, Mistake):
            assert contents(self.connection) == before

    @precondition(lambda self: self._in_quarantine())
    @rule(which=WHICH)
    def let_one_in_quarantine_grow(self, which: int) -> None:
        closed = self._in_quarantine()
        with self.connection.transaction():
            made = let_grow(self.connection, closed[which % len(closed)], author=ANNA, rules=RULES)
        assert not isinstance(made, Mistake), made

    @invariant()
    def all_tables_agree(self) -> None:
        """Invariants 4 and 5."""
        check(self.connection, is_linked=True)

    def teardown(self) -> None:
        """Invariant 6, and invariant 1: the same messages, backwards and at once, unless people decided something."""
        assert rebuild(self.connection, rules=RULES).counts == {}
        if self.connection.execute("SELECT FROM decision LIMIT 1").rowcount:
            return
        before = graph(self.connection)
        forget(self.connection)
        tell_all(self.connection, self.told[::-1], rules=RULES)
        assert graph(self.connection) == before

    def _merge(self, one: int, other: int) -> Merged | Mistake:
        found = [each for (each,) in self.connection.execute("SELECT customer_id FROM customer ORDER BY 1")]
        with self.connection.transaction():
            ids = [found[one % len(found)], found[other % len(found)]]
            return merge(self.connection, ids, author=ANNA, rules=RULES)

    def _in_quarantine(self) -> Sequence[Any]:
        rows = self.connection.execute("SELECT customer_id FROM customer WHERE quarantined_at IS NOT NULL ORDER BY 1")
        return [one for (one,) in rows]


def test_whatever_is_said_and_decided_the_invariants_hold(shared_database_url: str) -> None:
    with open_world(shared_database_url) as connection:
        Identity.connection = connection
        Identity.sources = make_sources(connection, SOURCES, verified=["crm"])
        run_state_machine_as_test(
            Identity, settings=settings(INVARIANT, stateful_step_count=5, suppress_health_check=list(HealthCheck))
        )
