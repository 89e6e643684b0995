"""A small world for identity tests: sources by name, claims in the words of a scenario, the graph by natural keys."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg import Connection

from cdp.db.engine import connect
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


_FORGET: LiteralString = (
    "WITH "
    + ", ".join(f"forgotten_{table} AS (DELETE FROM {table})" for table in (*TABLES, "interaction_key"))
    + " SELECT"
)
_SWEEP: LiteralString = "VACUUM " + ", ".join((*TABLES, "interaction_key"))
_forgotten = count(1)
_CONTENTS: LiteralString = (
    " UNION ALL ".join(f"SELECT '{table}', t::text FROM {table} AS t" for table in TABLES) + " ORDER BY 1, 2"
)


@contextmanager
def open_world(url: str) -> Iterator[Connection[Any]]:
    """A connection for thousands of small stories: each statement is planned once, which else is most of what a story costs."""
    with connect(url, autocommit=True) as connection:
        connection.prepare_threshold, connection.prepared_max = 0, None
        connection.execute("SET plan_cache_mode = force_generic_plan")
        yield connection


def forget(connection: Connection[Any]) -> None:
    """Begin anew; the sources stay. Now and then what was deleted is swept out, else a thousand stories later all are slow."""
    connection.execute(_FORGET)
    if next(_forgotten) % 100 == 0:
        connection.execute("SET ROLE NONE")
        connection.execute(_SWEEP)
        connection.execute("RESET ROLE")


def contents(connection: Connection[Any]) -> list[tuple[str, str]]:
    """Every row of identity's tables, to see that nothing at all has changed."""
    return connection.execute(_CONTENTS).fetchall()


_GRAPH: LiteralString = """SELECT
    (SELECT array_agg(source.name || '/' || key_namespace || ':' || key_value)
        FROM profile JOIN source USING (source_id) WHERE profile.customer_id = customer.customer_id),
    (SELECT array_agg(namespace || ':' || value) FROM identifier
        WHERE identifier.customer_id = customer.customer_id AND NOT shared),
    concat_ws('|', kind, name, email, phone, traits::text, first_seen_at, last_seen_at)
    FROM customer"""


def graph(connection: Connection[Any]) -> Graph:
    """All customers by natural keys, so that two databases can be compared."""
    return frozenset(
        (frozenset(profiles or ()), frozenset(identifiers or ()), golden)
        for profiles, identifiers, golden in connection.execute(_GRAPH)
    )


def _without(table: str, *columns: str, also: str = "true") -> str:
    """No row of the table is of the same customer and alike in these columns."""
    alike = " AND ".join(f"other.{column} = one.{column}" for column in ("customer_id", *columns))
    return f"NOT EXISTS (SELECT FROM {table} AS other WHERE {alike} AND {also})"


_HOMES: Mapping[str, LiteralString] = {
    "a profile has one row": "SELECT profile_id FROM profile GROUP BY profile_id HAVING count(*) > 1",
    "a profile's key leads to it": """SELECT key_value FROM profile AS one WHERE NOT EXISTS (
            SELECT FROM profile_key AS led WHERE (led.profile_id, led.customer_id) = (one.profile_id, one.customer_id)
            AND (led.source_id, led.namespace, led.value) = (one.source_id, one.key_namespace, one.key_value))""",
    "a key leads to a profile": """SELECT (SELECT count(*) FROM profile_key) - (SELECT count(*) FROM profile) AS more
        WHERE (SELECT count(*) FROM profile_key) <> (SELECT count(*) FROM profile)""",
    "a customer has profiles": f"SELECT customer_id FROM customer AS one WHERE {_without('profile')}",
    "a profile has a customer": f"SELECT profile_id FROM profile AS one WHERE {_without('customer')}",
    "an identifier has a customer or is shared": f"""SELECT value FROM identifier AS one
        WHERE NOT shared AND {_without("customer")}""",
    "what is a customer's is shown": f"""SELECT value FROM identifier AS one
        WHERE NOT shared AND {_without("customer_identifier", "namespace", "value")}""",
    "what is shown is the customer's": f"""SELECT value FROM customer_identifier AS one
        WHERE {_without("identifier", "namespace", "value", also="NOT shared")}""",
    "a redirect leads to a customer": """SELECT customer_id FROM customer_redirect AS one WHERE NOT EXISTS (
        SELECT FROM customer WHERE customer.customer_id = one.target_customer_id)""",
    "no customer's id leads elsewhere": "SELECT customer_id FROM customer_redirect JOIN customer USING (customer_id)",
    "an id once given leads somewhere": """SELECT founded_customer_id FROM profile AS one
        WHERE NOT EXISTS (SELECT FROM customer WHERE customer.customer_id = one.founded_customer_id)
        AND NOT EXISTS (SELECT FROM customer_redirect AS led WHERE led.customer_id = one.founded_customer_id)
        AND founded_customer_id IS NOT NULL""",
    "traits are with their profile": f"SELECT trait FROM profile_trait AS one WHERE {_without('profile', 'profile_id')}",
    "contacts are with their profile": f"SELECT name FROM interaction AS one WHERE {_without('profile', 'profile_id')}",
    "who belongs to an organisation is with its profile": """SELECT person_profile_id FROM affiliation AS one
        WHERE NOT EXISTS (SELECT FROM profile WHERE profile_id = person_profile_id AND customer_id = person_customer_id)""",
    "an organisation is with its profile": """SELECT organisation_profile_id FROM affiliation AS one WHERE NOT EXISTS (
        SELECT FROM profile WHERE profile_id = organisation_profile_id AND customer_id = one.customer_id)""",
}
_BROKEN: LiteralString = " UNION ALL ".join(
    f"SELECT $${what}$$, broken::text FROM ({query}) AS broken" for what, query in _HOMES.items()
)
_TOO_MANY: LiteralString = """SELECT customer_id::text, namespace FROM identifier WHERE NOT shared
    GROUP BY customer_id, namespace HAVING count(*) > 5 AND namespace <> 'user_id'"""


def check(connection: Connection[Any], *, is_linked: bool = False) -> None:
    """What must hold whatever was told: every conclusion has one home and all tables agree on it.

    `is_linked`: somebody said that values are one person's, so that they may be more than the limit.
    """
    assert connection.execute(_BROKEN).fetchall() == []
    if not is_linked:
        assert connection.execute(_TOO_MANY).fetchall() == []
