"""Identity as a machine: messages, replays, merges, partings and quarantines in any order; after each all invariants hold."""

from collections.abc import Sequence
from datetime import timedelta
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
from msgspec.structs import replace
from psycopg import Connection

from cdp.db.engine import connect
from cdp.db.locks import hold_customers_exclusive
from cdp.errors import Mistake
from cdp.identify import Author, ClaimDraft, apply_claims
from cdp.identify.merging import Merged, merge
from cdp.identify.quarantining import let_grow
from cdp.identify.rebuilding import check as check_anew
from cdp.identify.rules import Rules, Size
from cdp.identify.unmerging import Unmerged, unmerge
from tests.identify.world import START, check, contents, forget, graph, make_sources

RULES = Rules(size=Size(profiles=5, identifiers=9, statements=7))
ANNA = Author(actor="anna", reason="She called.")
KEYS = [("user_id", "u0"), ("user_id", "u1"), ("crm_id", "c0"), ("crm_id", "c1"), ("crm_id", "c2")]
DEVICES = [("anonymous_id", f"a{number}") for number in range(8)]
VALUES = [("email", "e0@example.org"), ("email", "e1@example.org"), ("phone", "600123456"), *DEVICES]


@st.composite
def messages(draw: st.DrawFn) -> list[tuple[str, tuple[str, str], list[tuple[str, str]], int, str | None]]:
    """(source, key, says, minute, city)."""
    return [
        (
            draw(st.sampled_from(["web", "web", "crm"])),
            draw(st.sampled_from([*KEYS, *DEVICES[:4]])),
            draw(st.lists(st.sampled_from(VALUES), max_size=2, unique=True)),
            draw(st.integers(0, 30)),
            draw(st.sampled_from(["Lugo", "Vigo", None])),
        )
        for _ in range(draw(st.integers(1, 4)))
    ]


class Identity(RuleBasedStateMachine):
    """What anybody may do to customers."""

    connection: ClassVar[Connection[Any]]
    sources: ClassVar[dict[str, Any]]

    @initialize()
    def begin(self) -> None:
        forget(self.connection)
        self.told: list[ClaimDraft] = []
        self.merges: list[Merged] = []

    @rule(said=messages())
    def tell(self, said: Sequence[tuple[str, tuple[str, str], list[tuple[str, str]], int, str | None]]) -> None:
        drafts = [
            ClaimDraft(
                source_id=self.sources[source],
                namespace=key[0],
                value=key[1],
                at=START + timedelta(minutes=minute),
                message_id=f"m{len(self.told) + number:03}",
                identifiers=says,
                traits={"city": city},
            )
            for number, (source, key, says, minute, city) in enumerate(said)
        ]
        self._apply(drafts)
        self.told += drafts

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """Invariant 2, also after what people decided since."""
        before = contents(self.connection)
        self._apply(self.told[: data.draw(st.integers(1, len(self.told)))])
        assert contents(self.connection) == before

    @rule(one=st.integers(0, 20), other=st.integers(0, 20))
    def merge(self, one: int, other: int) -> None:
        """A mistake leaves all as it was."""
        made, before = self._merge(one, other)
        if isinstance(made, Merged):
            self.merges.append(made)
        elif made is not None:
            assert contents(self.connection) == before

    @rule(one=st.integers(0, 20), other=st.integers(0, 20))
    def merge_and_part(self, one: int, other: int) -> None:
        """Invariant 3."""
        customers = graph(self.connection)
        made, _ = self._merge(one, other)
        if isinstance(made, Merged):
            with self.connection.transaction():
                parted = unmerge(self.connection, made.merge_id, author=ANNA, rules=RULES)
            assert isinstance(parted, Unmerged), parted
            assert graph(self.connection) == customers

    @precondition(lambda self: self.merges)
    @rule(which=st.integers(0, 20))
    def part(self, which: int) -> None:
        """Later, with what came in between; a mistake leaves all as it was."""
        before = contents(self.connection)
        with self.connection.transaction():
            made = unmerge(self.connection, self.merges[which % len(self.merges)].merge_id, author=ANNA, rules=RULES)
        if isinstance(made, Mistake):
            assert contents(self.connection) == before

    @rule()
    def let_the_first_in_quarantine_grow(self) -> None:
        row = self.connection.execute(
            "SELECT customer_id FROM customer WHERE quarantined_at IS NOT NULL ORDER BY 1 LIMIT 1"
        ).fetchone()
        if row is not None:
            with self.connection.transaction():
                made = let_grow(self.connection, row[0], author=ANNA, rules=RULES)
            assert not isinstance(made, Mistake), made

    @invariant()
    def all_tables_agree(self) -> None:
        """Invariants 4 and 5."""
        check(self.connection, is_linked=True)

    @invariant()
    def resolving_all_anew_gives_the_same(self) -> None:
        """Invariant 6."""
        assert check_anew(self.connection, rules=RULES).counts == {}

    def teardown(self) -> None:
        """Invariant 1: the same messages and decisions, backwards and at once."""
        decisions = self.connection.execute("SELECT count(*) FROM decision").fetchone()
        if decisions != (0,):
            return
        before = graph(self.connection)
        forget(self.connection)
        self._apply(list(reversed(self.told)))
        assert graph(self.connection) == before

    def _merge(self, one: int, other: int) -> tuple[Merged | Mistake | None, list[tuple[Any, ...]]]:
        found = [each for (each,) in self.connection.execute("SELECT customer_id FROM customer ORDER BY 1")]
        before = contents(self.connection)
        if not found:
            return None, before
        with self.connection.transaction():
            ids = [found[one % len(found)], found[other % len(found)]]
            return merge(self.connection, ids, author=ANNA, rules=RULES), before

    def _apply(self, drafts: Sequence[ClaimDraft]) -> None:
        with self.connection.transaction():
            hold_customers_exclusive(self.connection)
            apply_claims(self.connection, [replace(one) for one in drafts], rules=RULES)


def test_whatever_is_said_and_decided_the_invariants_hold(shared_database_url: str) -> None:
    with connect(shared_database_url, autocommit=True) as connection:
        Identity.connection = connection
        Identity.sources = make_sources(connection, ("web", "crm"), verified=["crm"])
        run_state_machine_as_test(
            Identity,
            settings=settings(
                max_examples=40, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
