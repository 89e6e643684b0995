"""Rebuilding: are the customers what their claims say? The whole graph is resolved anew, set-wise, and compared; and mended.

The graph is read once, as numbers, and screened with arrays (`screening`); what that leaves suspect is resolved one by one by the
same pure function that resolves a batch, and compared with what is stored. Mending goes the way of any change: under the
customers' lock, through the merge ledger, told to the feed. Source: `identity.md`, invariant 6.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

import numpy as np
from psycopg import Connection

from cdp.db.ids import time_ordered_id
from cdp.db.locks import hold_customers_exclusive
from cdp.db.statements import load_statements
from cdp.feed import Change, append
from cdp.identify import queries, stored_decisions
from cdp.identify.applying import redraw_again
from cdp.identify.claims import profile_node
from cdp.identify.crowding import counting
from cdp.identify.identifier import PROFILE, Identifier
from cdp.identify.quarantining import quarantined
from cdp.identify.redrawing import redraw
from cdp.identify.resolution import resolve
from cdp.identify.rules import Rules
from cdp.identify.ruling import rules_in_force
from cdp.identify.screening import Conclusions, Edges, Hashes, claims_of, often_claimed, screen
from cdp.identify.stored_claims import component

STATEMENTS: Final = load_statements("cdp.identify", "rebuilding.sql")
CHUNK: Final = 1_000
"""Suspects resolved in one transaction: a fraction of a second of the customers' lock."""

DESCRIBED: Final = 10_000
"""Customers described in one transaction."""

_ARRAY_HEADER_BYTES: Final = 20

What = Literal["customer", "profile", "key", "identifier", "refusal", "quarantine", "description"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something stored that doesn't follow from the claims: what it is, and the customer it is about, if there is one."""

    what: What
    customer_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What was found: components in all, those resolved one by one, and what differed."""

    components: int
    resolved: int
    differences: tuple[Difference, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many differences of each kind."""
        return dict(sorted(Counter(one.what for one in self.differences).items()))


@dataclass(slots=True, kw_only=True)
class _Survey:
    """Where to look: profiles of suspect components; identifiers claimed by nobody, or marked as nobody's without a reason;
    customers without a row or a profile; profiles to which their key doesn't lead.
    """

    components: int
    profile_ids: Sequence[UUID]
    loose: Sequence[Identifier] = ()
    homeless: Sequence[UUID] = ()
    empty: Sequence[UUID] = ()
    wrong_keys: Sequence[UUID] = ()

    @property
    def differences(self) -> list[Difference]:
        """What is wrong for sure."""
        return [
            *(Difference(what="customer", customer_id=one) for one in (*self.homeless, *self.empty)),
            *(Difference(what="key", customer_id=None) for _ in self.wrong_keys),
            *(Difference(what="identifier", customer_id=None) for _ in self.loose),
        ]


Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done and how much there is."""


def check(connection: Connection[Any], *, rules: Rules | None = None, progress: Progress | None = None) -> Rebuilt:
    """What of the customers doesn't follow from the claims; changes nothing. Needs an autocommit connection.

    Reads the graph as it is at one moment; what it suspects it reads again. Some 200 bytes of memory for each claim and node.
    """
    rules = rules or rules_in_force(connection)
    return _go_over(connection, rules, progress or _silent, mend=False)


def rebuild(connection: Connection[Any], *, rules: Rules | None = None, progress: Progress | None = None) -> Rebuilt:
    """Make the customers what follows from the claims; what had differed. Needs an autocommit connection.

    Others wait for the customers' lock for the moment that it takes to mend a thousand of them, again and again.
    """
    rules = rules or rules_in_force(connection)
    return _go_over(connection, rules, progress or _silent, mend=True)


def _go_over(connection: Connection[Any], rules: Rules, progress: Progress, *, mend: bool) -> Rebuilt:
    progress("reading claims", 0, 1)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute("SET LOCAL work_mem = '256MB'")
        survey = _survey(connection, rules)
    differences = survey.differences
    if mend:
        _mend_rows(connection, survey, rules)
    for start in range(0, len(survey.profile_ids), CHUNK):
        progress("resolving what is suspect", start, len(survey.profile_ids))
        some = survey.profile_ids[start : start + CHUNK]
        with connection.transaction():
            if mend:
                hold_customers_exclusive(connection)
            found = list(_examine(connection, some, rules))
            differences += found
            if mend and found:
                redraw_again(connection, {profile_node(one) for one in some}, rules=rules)
    differences += _describe(connection, progress, mend=mend)
    return Rebuilt(components=survey.components, resolved=len(survey.profile_ids), differences=tuple(differences))


def _survey(connection: Connection[Any], rules: Rules) -> _Survey:
    edges = Edges.of(*read(connection, "edges"))
    spaces = dict(connection.execute(STATEMENTS["namespaces"]).fetchall())
    profile_space = next((code for code, name in spaces.items() if name == PROFILE), 0)
    nobodys = _nobodys(connection, edges, rules, profile_space=profile_space)
    stored, marked = _stored(connection)
    suspects = screen(
        edges,
        stored,
        rules,
        spaces={code: None if name == PROFILE else name for code, name in spaces.items()},
        nobodys=nobodys,
        decided=_numbers(connection, "decided_nodes"),
        full=_numbers(connection, "full"),
    )
    loose = np.concatenate([suspects.unclaimed, np.setdiff1d(marked, nobodys)])
    return _Survey(
        components=suspects.components,
        profile_ids=_listed(connection, "profiles_numbered", suspects.profiles),
        loose=[Identifier(*one) for one in _rows(connection, "owners_numbered", loose)],
        homeless=[one for (one,) in connection.execute(STATEMENTS["homeless"])],
        empty=[one for (one,) in connection.execute(STATEMENTS["empty"])],
        wrong_keys=[one for (one,) in connection.execute(STATEMENTS["wrong_keys"])],
    )


def _stored(connection: Connection[Any]) -> tuple[Conclusions, Hashes]:
    """What is stored; and the identifiers that are marked as nobody's."""
    nodes, homes, marks = read(connection, "stored_profiles")
    owned, owners, shared = read(connection, "stored_owners")
    shown, shown_by, _ = read(connection, "stored_shown")
    customers, _, kinds = read(connection, "stored_customers")
    conclusions = Conclusions(
        profiles=(nodes, homes, marks % 2 == 1, marks >= 2),  # noqa: PLR2004 — two flags
        owners=(owned[shared == 0], owners[shared == 0]),
        shown=(shown, shown_by),
        customers=(customers, kinds % 2 == 1, kinds >= 2),  # noqa: PLR2004 — two flags
        refused=_numbers(connection, "refused_claims"),
    )
    return conclusions, owned[shared == 1]


def _nobodys(connection: Connection[Any], edges: Edges, rules: Rules, *, profile_space: int) -> Hashes:
    """The values that point at nobody: shared by the claims about them, or said to be so, or blocked."""
    shared: set[int] = set()
    often = often_claimed(edges, rules.shared_above_profiles, profile_space=profile_space)
    nodes, claims = claims_of(edges, often)
    given = {"claims": np.unique(claims).tolist(), "devices": sorted(rules.device_namespaces)}
    people = (
        {claim: of for claim, *of in connection.execute(STATEMENTS["claims_of_people"], given)} if len(often) else {}
    )
    told = {
        (node, *people[claim]) for node, claim in zip(nodes.tolist(), claims.tolist(), strict=True) if claim in people
    }
    counts = Counter((node, source_id) for node, source_id, _ in told)
    shared |= {node for (node, _), count in counts.items() if count > rules.shared_above_profiles}
    blocked: set[int] = set()
    for kind, node in connection.execute(STATEMENTS["verdicts"]):
        if kind == "block":
            blocked.add(node)
        elif kind == "shared":
            shared.add(node)
        else:
            shared.discard(node)
    if rules.blocked:
        said = connection.execute(STATEMENTS["values_said"])
        blocked |= {node for node, *value in said if rules.blocked.holds(Identifier(*value))}
    return np.array(sorted(shared | blocked), dtype=np.int64)


def _examine(connection: Connection[Any], profile_ids: Sequence[UUID], rules: Rules) -> Iterator[Difference]:
    """Resolve the components of these profiles and compare."""
    told, profiles = component(connection, {profile_node(one) for one in profile_ids}, {})
    given = [one.claim for one in told.values()]
    identifiers = {identifier for claim in given for identifier in claim.identifiers}
    decisions = stored_decisions.decisions_about(connection, identifiers | {profile_node(one) for one in profiles})
    before = queries.component_owners(connection, identifiers, decisions, profiles)
    nobodys = frozenset(one for one, owner in before.items() if owner is None)
    resolution = resolve(given, decisions, rules, shared=nobodys)
    counted = {one.claim_id: one for one in counting(given, resolution.crowding) if not one.is_set_aside}
    drawn = redraw(resolution, counted, profiles, time_ordered_id)
    yield from (Difference(what="profile", customer_id=new) for _, _, new in drawn.moves)
    yield from (Difference(what="customer", customer_id=one) for one in {*drawn.created, *drawn.ended})
    yield from (Difference(what="profile", customer_id=drawn.homes[one]) for one in drawn.founded)
    for one in before.keys() | drawn.owners.keys():
        if one not in drawn.owners or one not in before or drawn.owners[one] != before[one]:
            yield Difference(what="identifier", customer_id=drawn.owners.get(one))
    living = {one.customer_id for one in profiles.values() if one.customer_id} | set(drawn.homes.values())
    shown = queries.shown(connection, living).keys()
    owned = {(owner, one) for one, owner in drawn.owners.items() if owner is not None}
    yield from (Difference(what="identifier", customer_id=one) for one, _ in shown ^ owned)
    refused = {(one.claim_id, one.identifier, one.reason) for one in resolution.refusals}
    # Of values that point at nobody not all claims are read here, nor are all on record that were set aside before.
    for _, identifier, _ in refused ^ queries.refusals(connection, told.keys()):
        if identifier not in resolution.shared:
            yield Difference(what="refusal", customer_id=None)
    closed = {one: (each.at, each.reason) for one, each in drawn.quarantined.items()}
    found = {one: (each.at, each.reason) for one, each in quarantined(connection, living).items()}
    for home in closed.keys() | found.keys():
        if closed.get(home) != found.get(home):
            yield Difference(what="quarantine", customer_id=home)


def _mend_rows(connection: Connection[Any], survey: _Survey, rules: Rules) -> None:
    """What no resolution puts right by itself: rows that are missing or that nothing leads to."""
    with connection.transaction():
        hold_customers_exclusive(connection)
        connection.execute(STATEMENTS["house"], {"customer_ids": list(survey.homeless)})
        connection.execute(STATEMENTS["delete_empty"], {"customer_ids": list(survey.empty)})
        connection.execute(STATEMENTS["mend_keys"], {"profile_ids": list(survey.wrong_keys)})
        given = {"namespaces": [one.namespace for one in survey.loose], "values": [one.value for one in survey.loose]}
        connection.execute(STATEMENTS["unshow"], given)
        if survey.loose:
            redraw_again(connection, survey.loose, rules=rules)


def _describe(connection: Connection[Any], progress: Progress, *, mend: bool) -> Iterator[Difference]:
    """Golden values, names and kinds of all customers anew; a check takes back what it finds to differ."""
    after, done = UUID(int=0), 0
    while True:
        rows = connection.execute(STATEMENTS["customers_after"], {"after": after, "most": DESCRIBED}).fetchall()
        if not rows:
            return
        progress("comparing what customers are like", done, done + len(rows))
        with connection.transaction(force_rollback=not mend):
            if mend:
                hold_customers_exclusive(connection)
            changed = queries.describe_customers(connection, [one for (one,) in rows])
            if mend:
                append(connection, [Change("customer.changed", one, one, {}) for one in changed])
        yield from (Difference(what="description", customer_id=one) for one in changed)
        after, done = rows[-1][0], done + len(rows)


def read(connection: Connection[Any], statement: str) -> tuple[Hashes, Hashes, Any]:
    """Three numbers a row, as three arrays."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(STATEMENTS[statement])
        found = cursor.pgresult
        assert found is not None  # noqa: S101 — it was just executed
        wide, narrow = np.dtype([("width", ">i4"), ("it", ">i8")]), np.dtype([("width", ">i4"), ("it", ">i4")])
        columns = [
            [_elements(found.get_value(row, column), kind) for row in range(found.ntuples)]
            for column, kind in enumerate((wide, wide, narrow))
        ]
    one, other, third = (np.concatenate(parts) if parts else np.empty(0, dtype=np.int64) for parts in columns)
    return one.astype(np.int64), other.astype(np.int64), third.astype(np.int32)


def _elements(array: bytes | None, kind: np.dtype[Any]) -> Any:
    """The elements of a one-dimensional array in PostgreSQL's binary form."""
    return np.frombuffer(array or b"", dtype=kind, offset=_ARRAY_HEADER_BYTES)["it"]


def _numbers(connection: Connection[Any], statement: str) -> Hashes:
    return np.array([one for (one,) in connection.execute(STATEMENTS[statement])], dtype=np.int64)


def _rows(connection: Connection[Any], statement: str, numbers: Hashes) -> list[tuple[Any, ...]]:
    if len(numbers) == 0:
        return []
    return connection.execute(STATEMENTS[statement], {"numbers": numbers.tolist()}).fetchall()


def _listed(connection: Connection[Any], statement: str, numbers: Hashes) -> list[UUID]:
    return [one for (one,) in _rows(connection, statement, numbers)]


def _silent(what: str, done: int, total: int) -> None:
    del what, done, total
