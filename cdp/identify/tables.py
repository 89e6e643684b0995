"""Tables of identity: claims and what follows from them.

Facts: `profile` (what one source knows under its own key), `profile_trait`, `claim` with its identifiers, `claim_set_aside`
(what of claims no longer counts, since a `full_node` has enough), `decision`. Set by operators: `identity_rules`, `trait_rank`.
Conclusions, rebuilt from the facts at will: `customer`, `identifier` (value → customer) and its mirror by customer,
`affiliation`. Records of what was concluded: `customer_merge`, `identity_event`, `customer_redirect`, `refusal`; what
people should look at: `review`. `identity_generation` counts how often profiles moved.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from cdp.db.metadata import at, by, by_customer, customer_key, in_one_place, metadata, new_id, reference

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
    Column(
        "quarantined_at",
        DateTime(timezone=True),
        comment="Event time since which nothing merges into it (rule 5)",
    ),
    Column("quarantine", Text, comment="profiles, identifiers or statements"),
    CheckConstraint("kind IN ('person', 'organisation')", name="kind_is_known"),
    Index(
        "customer_by_quarantine",
        "quarantined_at",
        "customer_id",
        postgresql_where=text("quarantined_at IS NOT NULL"),
    ),
    Index("customer_by_last_seen", text("last_seen_at DESC"), text("customer_id DESC")),
    Index("customer_by_first_seen", text("first_seen_at DESC"), text("customer_id DESC")),
    Index("customer_by_name", "name", "customer_id"),
    # Not of the many that have none: to find a place among their nulls costs more than all other indexes together.
    Index("customer_by_email", "email", postgresql_where=text("email IS NOT NULL")),
    Index("customer_by_phone", "phone", postgresql_where=text("phone IS NOT NULL")),
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
    postgresql_with={"fillfactor": "80"},
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
    postgresql_with={"fillfactor": "85"},
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
    postgresql_with={"fillfactor": "75"},
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
    postgresql_with={"fillfactor": "80"},
)

identity_generation = Table(
    "identity_generation",
    metadata,
    Column("single", Boolean, primary_key=True, server_default="true"),
    Column("generation", BigInteger, nullable=False, server_default="0", comment="One more with each move"),
    CheckConstraint("single", name="there_is_one"),
    info=in_one_place(),
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

claim_set_aside = Table(
    "claim_set_aside",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("claim_id", Uuid, primary_key=True),
    Column("value_given", Text, nullable=False),
    Index("claim_set_aside_by_claim_id", "claim_id"),
    info=by("value"),
)

full_node = Table(
    "full_node",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    at("last_at"),
    Column("last_source_id", Uuid, nullable=False),
    Column("last_message_id", Text, nullable=False),
    Column("last_claim_id", Uuid, nullable=False, comment="The last claim, in canonical order, that counts"),
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
    Column(
        "identifiers", JSONB, nullable=False, server_default="[]", comment="[namespace, value] of what went with them"
    ),
    Column("rule", Text, nullable=False, comment="identifier, alias, group, manual"),
    Column("claim_id", Uuid),
    Column("actor", Text, nullable=False, server_default="system"),
    Column("reason", Text),
    at("merged_at", now=True),
    Index("customer_merge_by_merge_id", "merge_id"),
    Index("customer_merge_by_others", "other_customer_ids", postgresql_using="gin"),
    info=by_customer(),
)

identity_event = Table(
    "identity_event",
    metadata,
    customer_key(),
    new_id("event_id"),
    Column("kind", Text, nullable=False, comment="link, unlink, block, unblock, share, move, quarantine or release"),
    Column(
        "other_customer_ids", ARRAY(Uuid), nullable=False, server_default="{}", comment="Whose the identifiers are now"
    ),
    Column("identifiers", JSONB, nullable=False, server_default="[]", comment="[namespace, value] of each"),
    Column("actor", Text, nullable=False, server_default="system"),
    Column("reason", Text),
    at("happened_at", now=True),
    Index("identity_event_by_others", "other_customer_ids", postgresql_using="gin"),
    info=by_customer(),
)

decision = Table(
    "decision",
    metadata,
    new_id("decision_id"),
    Column(
        "kind",
        Text,
        nullable=False,
        comment="Of two: link, part or unlink; of one, told twice: block, shared, unshared, grow or closed",
    ),
    Column("one_namespace", Text, nullable=False),
    Column("one_value", Text, nullable=False),
    Column("other_namespace", Text, nullable=False),
    Column("other_value", Text, nullable=False),
    Column("rule", Text, nullable=False, comment="alias or manual"),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    at("decided_at", now=True),
    at("withdrawn_at", nullable=True),
    Column("most", Integer, comment="Of kind grow: how far"),
    Column("merge_id", Uuid, comment="Merge it was made for; withdrawn when that is undone"),
    Column("withdrawn_merge_id", Uuid, comment="Merge it was withdrawn for; in force again when that is undone"),
    Index("decision_by_one", "one_namespace", "one_value"),
    Index("decision_by_other", "other_namespace", "other_value"),
    Index("decision_by_merge_id", "merge_id", postgresql_where=text("merge_id IS NOT NULL")),
    Index(
        "decision_by_withdrawn_merge_id",
        "withdrawn_merge_id",
        postgresql_where=text("withdrawn_merge_id IS NOT NULL"),
    ),
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

review = Table(
    "review",
    metadata,
    Column(
        "review_id", Uuid, primary_key=True, comment="Hash of what was found, so that the same is listed once, for ever"
    ),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="open"),
    Column("namespace", Text, comment="With `value`: the identifier it is about"),
    Column("value", Text),
    Column("one_customer_id", Uuid, comment="As found; leads to whoever it became part of"),
    Column("other_customer_id", Uuid, comment="As found, of a pair"),
    Column("weight", Double, comment="Match weight: log2 of how much likelier the pair is one than not"),
    Column("explanation", JSONB, nullable=False, server_default="{}"),
    at("found_at", now=True),
    Column("assigned_staff_id", Uuid),
    at("decided_at", nullable=True),
    Column("decided_by", Text),
    Column("reason", Text),
    Column("merge_id", Uuid, comment="Merge that accepting it made"),
    CheckConstraint("kind IN ('shared', 'quarantine', 'refusal', 'match')", name="kind_is_known"),
    CheckConstraint("state IN ('open', 'accepted', 'refused')", name="state_is_known"),
    Index("review_by_found_at", "found_at", "review_id"),
    Index("review_by_state", "state", "found_at", "review_id"),
    Index("review_by_weight", text("weight DESC NULLS LAST"), "review_id"),
    Index("review_by_one_customer_id", "one_customer_id", postgresql_where=text("state = 'open'")),
    Index("review_by_other_customer_id", "other_customer_id", postgresql_where=text("state = 'open'")),
    info=in_one_place(),
)

identity_rules = Table(
    "identity_rules",
    metadata,
    new_id("rules_id"),
    Column("rules", JSONB, nullable=False, comment="As the operator's file had them"),
    Column("actor", Text, nullable=False),
    at("set_at", now=True),
    info=reference(),
)

trait_rank = Table(
    "trait_rank",
    metadata,
    Column("trait", Text, primary_key=True),
    Column("source_id", Uuid, primary_key=True),
    Column("rank", Integer, nullable=False, comment="1 outranks 2, and any rank outranks none"),
    info=reference(),
)
