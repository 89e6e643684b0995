"""Customers matched with one another: who among them is one and the same, though no source said so.

A record is a customer with its golden values, so only what isn't one yet is compared. What people parted, or refused before, is
not proposed again. What is found becomes lines of the review queue (`findings`); if the operator says so, pairs from the upper
threshold on are merged at once, each in a transaction of its own, by an actor that names the model, and can be undone like any
merge. A customer's values leave the database for a file in a private folder that is gone after the run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.db.statements import load_statements
from cdp.errors import Mistake
from cdp.identify import queries
from cdp.identify.claims import Author
from cdp.identify.deciding import living
from cdp.identify.findings import Finding, open_reviews
from cdp.identify.identifier import PROFILE, Identifier
from cdp.identify.matching.reading import NoRecords, read, understand
from cdp.identify.matching.running import Options, Run, Tell, run, workplace
from cdp.identify.merging import merge

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STATEMENTS: Final = load_statements("cdp.identify.matching", "customers.sql")

BATCH: Final = 1_000
"""Pairs that are listed in one statement."""


class NoCustomers(NoRecords):
    """There are no customers of the kind {file}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerMatch:
    """What came of it: pairs merged, pairs listed for the first time, pairs that the rules of identity kept from merging."""

    run: Run
    merged: int
    listed: int
    kept_apart: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """Two customers that are probably one, as found."""

    customer_ids: tuple[UUID, UUID]
    weight: float
    is_match: bool
    words: str
    explanation: dict[str, Any]


def match_customers(connection: Connection[Any], *, merges: bool, options: Options, tell: Tell) -> CustomerMatch:
    """Match the customers of one kind. `connection` is in autocommit mode: what is found is stored batch by batch.

    Raises NoCustomers, and the errors of `preparing` and `running`.
    """
    with workplace(options) as (duck, folder):
        tell("Reading")
        path = folder / "customers.csv"
        with path.open("wb") as file, connection.cursor().copy(STATEMENTS[f"{options.kind}s"]) as copied:
            for block in copied:
                file.write(block)
        inputs = understand([path], options.kind, id_column="customer_id", given={})
        try:
            read(duck, inputs, options.kind)
        except NoRecords as error:
            raise NoCustomers(file=options.kind) from error
        path.unlink()
        done = run(duck, folder, options, tell, apart=_apart(connection), clusters=False)
        merged = kept_apart = 0
        if merges:
            tell("Merging")
            merged, kept_apart = _merge(connection, done, _pairs(duck, done.model))
        tell("Listing what to review")
        listed = sum(_list(connection, batch) for batch in _batches(_pairs(duck, done.model)))
    return CustomerMatch(run=done, merged=merged, listed=listed, kept_apart=kept_apart)


def _apart(connection: Connection[Any]) -> list[tuple[str, str]]:
    """The customers, pair by pair, that people keep apart."""
    rows = connection.execute(STATEMENTS["partings"]).fetchall()
    pairs = [(Identifier(*row[:2]), Identifier(*row[2:])) for row in rows]
    nodes = {node for pair in pairs for node in pair}
    homes: dict[Identifier, UUID | None] = dict(
        queries.owners(connection, {node for node in nodes if node.namespace != PROFILE})
    )
    profiles = [UUID(node.value) for node in nodes if node.namespace == PROFILE]
    for profile_id, customer_id in connection.execute(STATEMENTS["homes"], {"profile_ids": profiles}):
        homes[Identifier(PROFILE, profile_id.hex)] = customer_id
    found = ((homes.get(one), homes.get(other)) for one, other in pairs)
    return [(str(one), str(other)) for one, other in found if one and other and one != other]


def _pairs(duck: "DuckDBPyConnection", model: str) -> Iterator[_Pair]:
    """The pairs, heaviest first."""
    cursor = duck.cursor()
    cursor.execute("""
        SELECT one.id, other.id, weight, probability, verdict, starts_at, findings, explanation
        FROM pair JOIN given AS one ON one.record = pair.one JOIN given AS other ON other.record = pair.other
        ORDER BY weight DESC, pair.one, pair.other
    """)
    while rows := cursor.fetchmany(BATCH):
        for one, other, weight, probability, verdict, starts_at, findings, words in rows:
            yield _Pair(
                customer_ids=(UUID(one), UUID(other)),
                weight=round(weight, 2),
                is_match=verdict == "match",
                words=words,
                explanation={
                    "model": model,
                    "probability": round(probability, 6),
                    "startsAt": round(starts_at, 2),
                    "comparisons": [{**each, "weight": round(each["weight"], 2)} for each in findings],
                },
            )


def _merge(connection: Connection[Any], done: Run, pairs: Iterator[_Pair]) -> tuple[int, int]:
    """Merge the pairs that match; how many were, and how many the rules of identity or people's decisions kept apart."""
    merged = kept_apart = 0
    for pair in pairs:
        if not pair.is_match:
            break
        author = Author(actor=f"match:{done.model}", reason=f"Match weight {pair.weight:g}: {pair.words}")
        with connection.transaction():
            outcome = merge(connection, pair.customer_ids, author=author, overrules=False)
        if not isinstance(outcome, Mistake):
            merged += 1
        elif outcome.code != "already_merged":
            kept_apart += 1
    return merged, kept_apart


def _list(connection: Connection[Any], pairs: Sequence[_Pair]) -> int:
    """Put pairs on the review queue, under the ids that their customers have now; how many were never there."""
    with connection.transaction():
        now = living(connection, [one for pair in pairs for one in pair.customer_ids])
        findings: dict[UUID, Finding] = {}
        for pair in pairs:
            ids = {now[one].customer_id for one in pair.customer_ids if one in now}
            if len(ids) == 2:  # noqa: PLR2004 — a pair still; else merged by now, or erased
                finding = Finding(
                    kind="match", customer_ids=tuple(sorted(ids)), weight=pair.weight, explanation=pair.explanation
                )
                findings.setdefault(finding.review_id, finding)
        return open_reviews(connection, findings.values())


def _batches(pairs: Iterator[_Pair]) -> Iterator[list[_Pair]]:
    batch: list[_Pair] = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
