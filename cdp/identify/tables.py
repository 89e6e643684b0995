"""Tables of identity: claims and what follows from them.

Facts: `profile` (what one source knows under its own key), `profile_trait`, `claim` with its identifiers, `decision`.
Conclusions, rebuilt from the facts at will: `customer`, `identifier` (value → customer) and its mirror by customer,
`affiliation`. Records of what was concluded: `customer_merge`, `customer_redirect`, `refusal`.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from cdp.db.metadata import at, by, by_customer, customer_key, metadata, new_id

customer = Table(
    "customer",
    metadata,
    Column("customer_id", Uuid, primary_key=True, server_default=text("new_id()")),
    Column("kind", Text, nullable=False, server_default="person"),
    Column("name", Text),
    Column("email", Text),
    Column("phone", Text),
    Column(
        "traits", JSONB, nullable=False, server_default="{}", comment="Golden values, newest by event time per trait"
    ),
    at("first_seen_at"),
    at("last_seen_at"),
    at("created_at", now=True),
    CheckConstraint("kind IN ('person', 'organisation')", name="kind_is_known"),
    Index("customer_by_last_seen", text("last_seen_at DESC"), text("customer_id DESC")),
    Index("customer_by_first_seen", text("first_seen_at DESC"), text("customer_id DESC")),
    Index("customer_by_name", "name", "customer_id"),
    Index("customer_by_email", "email"),
    Index("customer_by_phone", "phone"),
    Index("customer_by_words", "name", postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"}),
    info=by_customer(),
)

customer_redirect = Table(
    "customer_redirect",
    metadata,
    customer_key(),
    Column("target_customer_id", Uuid, nullable=False, comment="Where it lives now; chains are kept one step long"),
    Column("merge_id", Uuid, nullable=False),
    at("redirected_at", now=True),
    Index("customer_redirect_by_target_customer_id", "target_customer_id"),
    info=by_customer(),
)

profile = Table(
    "profile",
    metadata,
    customer_key(),
    new_id("profile_id"),
    Column("source_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False, server_default="person"),
    Column("key_namespace", Text, nullable=False, comment="user_id, anonymous_id, crm_id, group_id, …"),
    Column("key_value", Text, nullable=False),
    Column("founded_customer_id", Uuid, comment="Customer this profile began as; revived when a split frees it"),
    at("first_seen_at"),
    at("last_seen_at"),
    CheckConstraint("kind IN ('person', 'organisation')", name="kind_is_known"),
    Index("profile_by_profile_id", "profile_id"),
    info=by_customer(),
)

profile_key = Table(
    "profile_key",
    metadata,
    Column("source_id", Uuid, primary_key=True),
    Column("namespace", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("profile_id", Uuid, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Index("profile_key_by_profile_id", "profile_id"),
    info=by("value"),
)

profile_trait = Table(
    "profile_trait",
    metadata,
    customer_key(),
    Column("profile_id", Uuid, primary_key=True),
    Column("trait", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    at("stated_at"),
    Column("message_id", Text, nullable=False, comment="Breaks ties between equal times"),
    info=by_customer(),
)

identifier = Table(
    "identifier",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("value", Text, primary_key=True, comment="Normal form"),
    Column("customer_id", Uuid, comment="Its one owner; null when shared"),
    Column("shared", Boolean, nullable=False, server_default="false", comment="Rule 4: points at nobody"),
    CheckConstraint("shared = (customer_id IS NULL)", name="belongs_to_one_customer"),
    Index("identifier_by_customer_id", "customer_id"),
    info=by("value"),
)

customer_identifier = Table(
    "customer_identifier",
    metadata,
    customer_key(),
    Column("namespace", Text, primary_key=True),
    Column("value", Text, primary_key=True, comment="Normal form"),
    Column("value_given", Text, nullable=False),
    Column("source_id", Uuid, nullable=False, comment="Source that told it first"),
    Column("verified", Boolean, nullable=False, server_default="false"),
    at("first_seen_at"),
    at("last_seen_at"),
    Index("customer_identifier_by_words", "value", postgresql_using="gin", postgresql_ops={"value": "gin_trgm_ops"}),
    info=by_customer(),
)

claim = Table(
    "claim",
    metadata,
    Column(
        "claim_id",
        Uuid,
        primary_key=True,
        comment="Hash of profile key and identifiers, so that equal claims are one row",
    ),
    Column("source_id", Uuid, nullable=False),
    Column("profile_id", Uuid, nullable=False),
    at("first_at"),
    Column("first_message_id", Text, nullable=False),
    at("last_at"),
    Index("claim_by_profile_id", "profile_id"),
    info=by("claim_id"),
)

claim_identifier = Table(
    "claim_identifier",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("claim_id", Uuid, primary_key=True),
    Column("value_given", Text, nullable=False),
    Index("claim_identifier_by_claim_id", "claim_id"),
    info=by("value"),
)

affiliation = Table(
    "affiliation",
    metadata,
    customer_key(),
    Column("organisation_profile_id", Uuid, primary_key=True),
    Column("person_profile_id", Uuid, primary_key=True),
    Column("person_customer_id", Uuid, nullable=False),
    Column("role", Text),
    at("since_at"),
    at("stated_at"),
    Index("affiliation_by_person_customer_id", "person_customer_id"),
    info=by_customer(),
)

customer_merge = Table(
    "customer_merge",
    metadata,
    customer_key(),
    new_id("merge_id"),
    Column("kind", Text, nullable=False, comment="merge or split"),
    Column(
        "other_customer_ids", ARRAY(Uuid), nullable=False, comment="Customers merged into, or split from, customer_id"
    ),
    Column("profile_ids", ARRAY(Uuid), nullable=False, comment="Profiles that moved"),
    Column("rule", Text, nullable=False, comment="identifier, alias, group, manual"),
    Column("claim_id", Uuid),
    Column("actor", Text, nullable=False, server_default="system"),
    Column("reason", Text),
    at("merged_at", now=True),
    Index("customer_merge_by_merge_id", "merge_id"),
    Index("customer_merge_by_others", "other_customer_ids", postgresql_using="gin"),
    info=by_customer(),
)

decision = Table(
    "decision",
    metadata,
    new_id("decision_id"),
    Column("kind", Text, nullable=False, comment="link (these belong together) or part (never)"),
    Column("one_namespace", Text, nullable=False),
    Column("one_value", Text, nullable=False),
    Column("other_namespace", Text, nullable=False),
    Column("other_value", Text, nullable=False),
    Column("rule", Text, nullable=False, comment="alias or manual"),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    at("decided_at", now=True),
    at("withdrawn_at", nullable=True),
    Column("merge_id", Uuid, comment="Merge it was made for; withdrawn when that is undone"),
    Index("decision_by_one", "one_namespace", "one_value"),
    Index("decision_by_other", "other_namespace", "other_value"),
    Index("decision_by_merge_id", "merge_id", postgresql_where=text("merge_id IS NOT NULL")),
    info=by("decision_id"),
)

refusal = Table(
    "refusal",
    metadata,
    Column("claim_id", Uuid, primary_key=True),
    Column("namespace", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("reason", Text, nullable=False, comment="limit, shared, kind or parted"),
    at("refused_at", now=True),
    info=by("claim_id"),
)
