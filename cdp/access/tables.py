"""Tables of access: sources and write keys, staff, members and their memberships. Small and shared, so reference
tables.

The embedded issuer's own tables are in `cdp/access/issuer/tables.py`. No secret is stored in clear anywhere: what we
only have to recognise is hashed, what we must be able to use again is sealed (`cdp/access/sealing.py`).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from cdp.db.metadata import at, in_one_place, metadata, new_id, reference

_SITES = "Sites whose orders they see, by name; NULL: of every one"
_SITES_FIT = "sites IS NULL OR (role IN ('buyer', 'viewer') AND cardinality(sites) > 0)"

source = Table(
    "source",
    metadata,
    new_id("source_id"),
    Column("name", Text, nullable=False, comment="Unique name, e.g. web-shop"),
    Column("channel", Text, nullable=False, comment="web, app, store, phone, email, visit, erp, crm"),
    Column("division", Text, comment="Part of the company the source belongs to"),
    Column("location", Text, comment="Where it stands: a shop, a call centre"),
    Column("identifier_namespace", Text, nullable=False, comment="Namespace of its own customer keys, e.g. crm_id"),
    Column("default_region", Text, comment="ISO 3166 region that reads its national phone numbers"),
    Column(
        "allowed_origins", ARRAY(Text), nullable=False, server_default="{}", comment="Browser origins that may post"
    ),
    Column(
        "verified", Boolean, nullable=False, server_default="false", comment="Its traits outrank unverified sources'"
    ),
    Column(
        "visitor_traits",
        ARRAY(Text),
        nullable=False,
        server_default="{name,firstName,first_name}",
        comment="Traits that a visitor with a token may be told of themselves",
    ),
    Column(
        "visitor_generation",
        Integer,
        nullable=False,
        server_default="1",
        comment="Visitors' tokens of an earlier generation are no longer taken",
    ),
    at("created_at", now=True),
    UniqueConstraint("name", name="source_has_one_name"),
    info=reference(),
)

write_key = Table(
    "write_key",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True, comment="SHA-256 of the key"),
    Column("source_id", ForeignKey(source.c.source_id), nullable=False),
    Column("hint", Text, nullable=False, comment="Last four characters, to tell keys apart"),
    at("created_at", now=True),
    at("expires_at", nullable=True),
    info=reference(),
)

staff = Table(
    "staff",
    metadata,
    new_id("staff_id"),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("title", Text),
    Column("phone", Text),
    Column("issuer", Text, comment="With `subject`: how this person signs in, when they do"),
    Column("subject", Text),
    at("created_at", now=True),
    at("disabled_at", nullable=True),
    Column("away_from_on", Date, comment="First day away, by the seller's date"),
    Column("away_to_on", Date, comment="Last day away"),
    Column("deputy_staff_id", Uuid, comment="Who stands in meanwhile"),
    CheckConstraint(
        "(away_from_on IS NULL) = (away_to_on IS NULL) AND (away_to_on IS NULL) = (deputy_staff_id IS NULL)",
        name="absence_is_whole",
    ),
    CheckConstraint("away_from_on <= away_to_on", name="absence_ends_after_it_begins"),
    CheckConstraint("deputy_staff_id <> staff_id", name="somebody_else_stands_in"),
    UniqueConstraint("email", name="staff_has_one_email"),
    UniqueConstraint("issuer", "subject", name="staff_has_one_issuer_subject"),
    info=reference(),
)

member = Table(
    "member",
    metadata,
    new_id("member_id"),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("email", Text, nullable=False, comment="For letters and lists; never a key"),
    Column("name", Text, nullable=False),
    Column("locale", Text, nullable=False, server_default="en"),
    Column("time_zone", Text, nullable=False, server_default="UTC"),
    at("created_at", now=True),
    at("disabled_at", nullable=True),
    Column("letters_paused_until", Date, comment="No letters but necessary ones before that day"),
    UniqueConstraint("issuer", "subject", name="member_has_one_issuer_subject"),
    info=reference(),
)

membership = Table(
    "membership",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("member_id", ForeignKey(member.c.member_id), primary_key=True),
    Column("role", Text, nullable=False),
    at("created_at", now=True),
    Column("last_signed_in_at", DateTime(timezone=True), comment="When a session last opened the account"),
    Column("sites", ARRAY(Text), comment=_SITES),
    CheckConstraint("role IN ('client_admin', 'finance', 'buyer', 'viewer')", name="role_is_known"),
    CheckConstraint(_SITES_FIT, name="sites_fit_the_role"),
    Index("membership_by_member_id", "member_id"),
    info=reference(),
)

login_session = Table(
    "login_session",
    metadata,
    Column("session_hash", LargeBinary, primary_key=True, comment="SHA-256 of the cookie"),
    Column("member_id", ForeignKey(member.c.member_id), nullable=False),
    Column("account_id", Uuid, nullable=False, comment="The account this session is in; one at a time"),
    Column("issuer_session", Text, comment="The issuer's `sid`: what back-channel logout will name"),
    Column("sealed_id_token", LargeBinary, comment="For sign-out at the issuer; opens with the cookie only"),
    at("authenticated_at"),
    at("created_at", now=True),
    at("last_seen_at", now=True),
    Column("device", Text, comment="Browser and system, in words"),
    Index("login_session_by_member_id", "member_id"),
    Index("login_session_by_issuer_session", "issuer_session"),
    info=reference(),
)

pending_login = Table(
    "pending_login",
    metadata,
    Column("state_hash", LargeBinary, primary_key=True, comment="SHA-256 of `state`"),
    Column("browser_hash", LargeBinary, nullable=False, comment="SHA-256 of the cookie of the browser that began it"),
    Column("return_to", Text, nullable=False, comment="Path to go to afterwards"),
    at("created_at", now=True),
    Column("max_age_seconds", Integer, comment="How long ago the sign-in may be, where that was asked"),
    Index("pending_login_by_created_at", "created_at"),
    info=reference(),
)

used_once = Table(
    "used_once",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True, comment="SHA-256 of what may come once"),
    at("forget_at"),
    Index("used_once_by_forget_at", "forget_at"),
    info=reference(),
)

invite = Table(
    "invite",
    metadata,
    Column("invite_hash", LargeBinary, primary_key=True, comment="SHA-256 of the link's secret"),
    Column("email", Text, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("role", Text, nullable=False),
    Column("invited_by", Text, nullable=False),
    at("created_at", now=True),
    at("accepted_at", nullable=True),
    Column("invite_id", Uuid, nullable=False, server_default=text("new_id()"), comment="Names it; opens nothing"),
    Column("sites", ARRAY(Text), comment=_SITES),
    CheckConstraint("role IN ('client_admin', 'finance', 'buyer', 'viewer')", name="role_is_known"),
    CheckConstraint(_SITES_FIT, name="sites_fit_the_role"),
    UniqueConstraint("invite_id", name="invite_has_one_invite_id"),
    Index("invite_by_account_id", "account_id"),
    info=reference(),
)

view_as = Table(
    "view_as",
    metadata,
    new_id("view_id"),
    Column("ticket_hash", LargeBinary, nullable=False, comment="SHA-256 of the link's secret"),
    Column("session_hash", LargeBinary, comment="SHA-256 of the cookie, once it is opened"),
    Column("account_id", Uuid, nullable=False),
    Column("role", Text, nullable=False, comment="As which role of member they look"),
    Column("staff_id", ForeignKey(staff.c.staff_id), nullable=False),
    Column("actor", Text, nullable=False, comment="Their subject at the issuer"),
    Column("client_id", Text, nullable=False, comment="The tool that asked"),
    Column("reason", Text, nullable=False, comment="Told to the client"),
    at("created_at", now=True),
    at("opened_at", nullable=True),
    at("ended_at", nullable=True),
    CheckConstraint("role IN ('client_admin', 'finance', 'buyer', 'viewer')", name="role_is_known"),
    CheckConstraint("length(reason) BETWEEN 3 AND 500", name="reason_is_given"),
    UniqueConstraint("ticket_hash", name="view_as_has_one_ticket_hash"),
    UniqueConstraint("session_hash", name="view_as_has_one_session_hash"),
    info=reference(),
)

audit_record = Table(
    "audit_record",
    metadata,
    new_id("audit_id"),
    at("recorded_at", now=True),
    Column("event", Text, nullable=False, comment="sign_in, sign_out, invite_accepted, token_refused, …"),
    Column("outcome", Text, nullable=False),
    Column("actor", Text, nullable=False, comment="Subject, OAuth client or `system`; never an e-mail"),
    Column("client_id", Text, comment="OAuth client the actor came through"),
    Column("account_id", Uuid),
    Column("reason", Text, comment="Why it was refused: a code"),
    Column("details", JSONB, nullable=False, server_default="{}"),
    Column("target", Text, comment="What it was done to: a typed id, an OAuth client, a kind of file"),
    CheckConstraint("outcome IN ('done', 'refused')", name="outcome_is_known"),
    Index("audit_record_by_recorded_at", "recorded_at"),
    Index("audit_record_by_account_id", "account_id", "recorded_at"),
    Index("audit_record_by_actor", "actor", "recorded_at"),
    info=in_one_place(),
)

audit_refusal = Table(
    "audit_refusal",
    metadata,
    Column("kind_hash", LargeBinary, primary_key=True, comment="SHA-256 of the columns that tell its kind"),
    Column("minute", DateTime(timezone=True), nullable=False, comment="The last one in which a record was made"),
    Column("unrecorded", BigInteger, nullable=False, server_default="0", comment="Counted since then"),
    Column("event", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("client_id", Text),
    Column("account_id", Uuid),
    Column("target", Text),
    Column("reason", Text),
    Index("audit_refusal_by_minute", "minute"),
    info=in_one_place(),
)

allowance = Table(
    "allowance",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True, comment="SHA-256 of the kind of request and who makes it"),
    Column("free_at", DateTime(timezone=True), nullable=False, comment="When all that was taken is made up for"),
    Index("allowance_by_free_at", "free_at"),
    prefixes=["UNLOGGED"],
    info=in_one_place(),
)
