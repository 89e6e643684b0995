"""A small world for identity tests: sources by name, claims in the words of a scenario, the graph by natural keys."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection, sql

from cdp.db.locks import hold_customers_exclusive
from cdp.identify import ClaimDraft, Decision, apply_claims
from cdp.identify.claims import DecisionKind, decision_id
from cdp.identify.identifier import Identifier

START = datetime(2026, 1, 1, tzinfo=UTC)

Graph = frozenset[tuple[frozenset[str], frozenset[str], str]]
"""Customers as (profiles, identifiers, golden values)."""


WORDS: Mapping[str, DecisionKind] = {"link": "link", "alias": "link", "part": "part", "block": "block", "grow": "grow"}


def make_sources(connection: Connection[Any], names: Sequence[str], *, verified: Sequence[str] = ()) -> dict[str, UUID]:
    """Sources by name, made in this order; a source's own keys are in `<name>_id`."""
    made = {}
    for name in names:
        row = connection.execute(
            "INSERT INTO source (name, channel, identifier_namespace, default_region, verified)"
            " VALUES (%s, 'web', %s, 'ES', %s) RETURNING source_id",
            (name, f"{name}_id", name in verified),
        ).fetchone()
        assert row is not None
        made[name] = row[0]
    return made


def draft(sources: Mapping[str, UUID], told: Mapping[str, Any], number: int) -> ClaimDraft:
    """One line of a scenario: `{source, at (minutes), key: "user_id:u1", says: ["email:…"], traits, kind, group}`."""
    namespace, value = told["key"].split(":", 1)
    group = told.get("group")
    return ClaimDraft(
        source_id=sources[told.get("source", "web")],
        namespace=namespace,
        value=value,
        at=START + timedelta(minutes=told.get("at", number)),
        message_id=told.get("message", f"m{number:04}"),
        kind=told.get("kind", "person"),
        identifiers=[(one.split(":", 1)[0], one.split(":", 1)[1]) for one in told.get("says", ())],
        traits=told.get("traits", {}),
        group=("group_id", group) if group else None,
        role=told.get("role"),
    )


def decision(told: Mapping[str, Any], number: int) -> Decision:
    """A decision of a scenario: `{link: [a, b]}`, `{alias: [a, b]}`, `{part: [a, b]}`, `{block: a}` or `{grow: a, most: n}`."""
    (word, about) = next((word, told[word]) for word in WORDS if word in told)
    one, other = (Identifier(*node.split(":", 1)) for node in ([about, about] if isinstance(about, str) else about))
    rule: Literal["alias", "manual"] = "alias" if word == "alias" else "manual"
    return Decision(
        decision_id=decision_id(WORDS[word], one, other, rule),
        kind=WORDS[word],
        one=one,
        other=other,
        rule=rule,
        decided_at=START + timedelta(minutes=told.get("at", number)),
        most=told.get("most"),
    )


def tell(connection: Connection[Any], drafts: Sequence[ClaimDraft], decisions: Sequence[Decision] = ()) -> None:
    """One batch, one transaction."""
    with connection.transaction():
        hold_customers_exclusive(connection)
        apply_claims(connection, drafts, decisions=decisions)


FACTS = (
    "profile",
    "profile_key",
    "profile_trait",
    "claim",
    "claim_identifier",
    "claim_set_aside",
    "decision",
    "interaction",
)
CONCLUSIONS = (
    "customer",
    "customer_redirect",
    "identifier",
    "customer_identifier",
    "affiliation",
    "refusal",
    "full_node",
)
RECORDS = ("customer_merge", "identity_event", "review")
TABLES = (*FACTS, *CONCLUSIONS, *RECORDS)


def forget(connection: Connection[Any]) -> None:
    """Begin anew; the sources stay."""
    with connection.transaction():
        for table in (*TABLES, "interaction_key"):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


def contents(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """Every row of identity's tables, to see that nothing at all has changed."""
    return [
        (table, *row)
        for table in TABLES
        for row in connection.execute(
            sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(sql.Identifier(table))
        ).fetchall()
    ]


def graph(connection: Connection[Any]) -> Graph:
    """All customers by natural keys, so that two databases can be compared."""
    profiles: dict[UUID, set[str]] = defaultdict(set)
    identifiers: dict[UUID, set[str]] = defaultdict(set)
    for customer_id, source, namespace, value in connection.execute(
        "SELECT customer_id, source.name, key_namespace, key_value FROM profile JOIN source USING (source_id)"
    ):
        profiles[customer_id].add(f"{source}/{namespace}:{value}")
    for customer_id, namespace, value in connection.execute(
        "SELECT customer_id, namespace, value FROM identifier WHERE NOT shared"
    ):
        identifiers[customer_id].add(f"{namespace}:{value}")
    golden = connection.execute(
        "SELECT customer_id, concat_ws('|', kind, name, email, phone, traits::text, first_seen_at, last_seen_at) FROM customer"
    ).fetchall()
    return frozenset((frozenset(profiles[one]), frozenset(identifiers[one]), text) for one, text in golden)


def check(connection: Connection[Any], *, is_linked: bool = False) -> None:
    """What must hold whatever was told: every conclusion has one home and all tables agree on it.

    `is_linked`: somebody said that values are one person's, so that they may be more than the limit.
    """

    def none(query: str) -> None:
        found = connection.execute(query).fetchall()
        assert found == [], query

    none("SELECT profile_id FROM profile GROUP BY profile_id HAVING count(*) > 1")
    none("""SELECT * FROM (SELECT profile_id, customer_id, source_id, key_namespace, key_value FROM profile) AS p
        FULL JOIN (SELECT profile_id, customer_id, source_id, namespace, value FROM profile_key) AS k
            ON p.profile_id = k.profile_id AND p.customer_id = k.customer_id
            AND (p.source_id, p.key_namespace, p.key_value) = (k.source_id, k.namespace, k.value)
        WHERE p.profile_id IS NULL OR k.profile_id IS NULL""")
    none("SELECT customer_id FROM customer EXCEPT SELECT customer_id FROM profile")
    none("SELECT customer_id FROM profile EXCEPT SELECT customer_id FROM customer")
    none("SELECT customer_id FROM identifier WHERE NOT shared EXCEPT SELECT customer_id FROM customer")
    none("""(SELECT customer_id, namespace, value FROM identifier WHERE NOT shared
        EXCEPT SELECT customer_id, namespace, value FROM customer_identifier)
        UNION ALL
        (SELECT customer_id, namespace, value FROM customer_identifier
        EXCEPT SELECT customer_id, namespace, value FROM identifier WHERE NOT shared)""")
    none("SELECT target_customer_id FROM customer_redirect EXCEPT SELECT customer_id FROM customer")
    none("SELECT customer_id FROM customer_redirect INTERSECT SELECT customer_id FROM customer")
    none("""SELECT founded_customer_id FROM profile WHERE founded_customer_id IS NOT NULL
        EXCEPT (SELECT customer_id FROM customer UNION SELECT customer_id FROM customer_redirect)""")
    if not is_linked:
        none("""SELECT customer_id, namespace FROM identifier WHERE NOT shared GROUP BY customer_id, namespace
            HAVING count(*) > 5 AND namespace <> 'user_id'""")
    none("SELECT profile_id, customer_id FROM profile_trait EXCEPT SELECT profile_id, customer_id FROM profile")
    none("SELECT profile_id, customer_id FROM interaction EXCEPT SELECT profile_id, customer_id FROM profile")
    none("""SELECT person_profile_id, person_customer_id FROM affiliation
        EXCEPT SELECT profile_id, customer_id FROM profile""")
    none("""SELECT organisation_profile_id, customer_id FROM affiliation
        EXCEPT SELECT profile_id, customer_id FROM profile""")
