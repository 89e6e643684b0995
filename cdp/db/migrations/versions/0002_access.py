"""Sources, staff, members, clients, sessions and the embedded issuer's tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "audit_record",
        sa.Column("audit_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("event", sa.Text(), nullable=False, comment="sign_in, sign_out, invite_accepted, token_refused, …"),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False, comment="Subject, OAuth client or `system`; never an e-mail"),
        sa.Column("client_id", sa.Text(), nullable=True, comment="OAuth client the actor came through"),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it was refused: a code"),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.CheckConstraint("outcome IN ('done', 'refused')", name=op.f("audit_record_outcome_is_known")),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("audit_record_pkey")),
    )
    op.create_index("audit_record_by_account_id", "audit_record", ["account_id", "recorded_at"], unique=False)
    op.create_index("audit_record_by_recorded_at", "audit_record", ["recorded_at"], unique=False)
    op.create_table(
        "idp_user",
        sa.Column("user_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False, comment="Case-folded"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), server_default="en", nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False, comment="Argon2id"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("password_changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("idp_user_pkey")),
        sa.UniqueConstraint("email", name="idp_user_has_one_email"),
    )
    op.create_table(
        "invite",
        sa.Column("invite_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the link's secret"),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("invited_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('client_admin', 'finance', 'buyer', 'viewer')", name=op.f("invite_role_is_known")),
        sa.PrimaryKeyConstraint("invite_hash", name=op.f("invite_pkey")),
    )
    op.create_table(
        "member",
        sa.Column("member_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False, comment="For letters and lists; never a key"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), server_default="en", nullable=False),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("member_id", name=op.f("member_pkey")),
        sa.UniqueConstraint("issuer", "subject", name="member_has_one_issuer_subject"),
    )
    op.create_table(
        "oauth_client",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "secret_hash", sa.LargeBinary(), nullable=True, comment="SHA-256 of the secret; NULL for a public client"
        ),
        sa.Column("auth_method", sa.Text(), nullable=False, comment="client_secret_basic or none (public)"),
        sa.Column("grant_types", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("redirect_uris", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("post_logout_redirect_uris", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False, comment="Most it may ever ask for"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(auth_method = 'none') = (secret_hash IS NULL)", name=op.f("oauth_client_secret_unless_public")
        ),
        sa.CheckConstraint(
            "auth_method <> 'none' OR NOT 'client_credentials' = ANY (grant_types)",
            name=op.f("oauth_client_public_has_no_credentials"),
        ),
        sa.CheckConstraint(
            "auth_method IN ('client_secret_basic', 'none')", name=op.f("oauth_client_auth_method_is_known")
        ),
        sa.PrimaryKeyConstraint("client_id", name=op.f("oauth_client_pkey")),
    )
    op.create_table(
        "pending_login",
        sa.Column("state_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of `state`"),
        sa.Column(
            "browser_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the cookie of the browser that began it",
        ),
        sa.Column("return_to", sa.Text(), nullable=False, comment="Path to go to afterwards"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pending_login_pkey")),
    )
    op.create_index("pending_login_by_created_at", "pending_login", ["created_at"], unique=False)
    op.create_table(
        "sign_in_failure",
        sa.Column(
            "key_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the e-mail as typed, or of the address"
        ),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("sign_in_failure_pkey")),
    )
    op.create_index("sign_in_failure_by_last_failed_at", "sign_in_failure", ["last_failed_at"], unique=False)
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.Text(), nullable=False, comment="RFC 7638 thumbprint"),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("public_jwk", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sealed_private_jwk", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("signing_key_pkey")),
    )
    op.create_table(
        "source",
        sa.Column("source_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="Unique name, e.g. web-shop"),
        sa.Column("channel", sa.Text(), nullable=False, comment="web, app, store, phone, email, visit, erp, crm"),
        sa.Column("division", sa.Text(), nullable=True, comment="Part of the company the source belongs to"),
        sa.Column("location", sa.Text(), nullable=True, comment="Where it stands: a shop, a call centre"),
        sa.Column(
            "identifier_namespace", sa.Text(), nullable=False, comment="Namespace of its own customer keys, e.g. crm_id"
        ),
        sa.Column(
            "default_region", sa.Text(), nullable=True, comment="ISO 3166 region that reads its national phone numbers"
        ),
        sa.Column(
            "allowed_origins",
            postgresql.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
            comment="Browser origins that may post",
        ),
        sa.Column(
            "verified",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="Its traits outrank unverified sources'",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("source_id", name=op.f("source_pkey")),
        sa.UniqueConstraint("name", name="source_has_one_name"),
    )
    op.create_table(
        "staff",
        sa.Column("staff_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("issuer", sa.Text(), nullable=True, comment="With `subject`: how this person signs in, when they do"),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("staff_pkey")),
        sa.UniqueConstraint("email", name="staff_has_one_email"),
        sa.UniqueConstraint("issuer", "subject", name="staff_has_one_issuer_subject"),
    )
    op.create_table(
        "token_revocation",
        sa.Column("revoked_id", sa.Text(), nullable=False, comment="An access token's `jti`, or a family's id"),
        sa.Column("revoked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("forget_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("revoked_id", name=op.f("token_revocation_pkey")),
    )
    op.create_index("token_revocation_by_forget_at", "token_revocation", ["forget_at"], unique=False)
    op.create_table(
        "authorization_code",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False, comment="All tokens that come from this code"),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("code_challenge", sa.Text(), nullable=False, comment="S256, nothing else is accepted"),
        sa.Column("sid", sa.Uuid(), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("redeemed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["oauth_client.client_id"], name=op.f("authorization_code_refers_to_oauth_client")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["idp_user.user_id"], name=op.f("authorization_code_refers_to_idp_user")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("authorization_code_pkey")),
    )
    op.create_index("authorization_code_by_created_at", "authorization_code", ["created_at"], unique=False)
    op.create_table(
        "idp_session",
        sa.Column("session_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the cookie"),
        sa.Column("sid", sa.Uuid(), nullable=False, comment="Public name of the session, in ID tokens"),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["idp_user.user_id"], name=op.f("idp_session_refers_to_idp_user")),
        sa.PrimaryKeyConstraint("session_hash", name=op.f("idp_session_pkey")),
        sa.UniqueConstraint("sid", name="idp_session_has_one_sid"),
    )
    op.create_index("idp_session_by_user_id", "idp_session", ["user_id"], unique=False)
    op.create_table(
        "login_session",
        sa.Column("session_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the cookie"),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False, comment="The account this session is in; one at a time"),
        sa.Column(
            "issuer_session", sa.Text(), nullable=True, comment="The issuer's `sid`: what back-channel logout will name"
        ),
        sa.Column(
            "sealed_id_token",
            sa.LargeBinary(),
            nullable=True,
            comment="For sign-out at the issuer; opens with the cookie only",
        ),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("login_session_refers_to_member")),
        sa.PrimaryKeyConstraint("session_hash", name=op.f("login_session_pkey")),
    )
    op.create_index("login_session_by_issuer_session", "login_session", ["issuer_session"], unique=False)
    op.create_index("login_session_by_member_id", "login_session", ["member_id"], unique=False)
    op.create_table(
        "membership",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "role IN ('client_admin', 'finance', 'buyer', 'viewer')", name=op.f("membership_role_is_known")
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("membership_refers_to_member")),
        sa.PrimaryKeyConstraint("account_id", "member_id", name=op.f("membership_pkey")),
    )
    op.create_index("membership_by_member_id", "membership", ["member_id"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["oauth_client.client_id"], name=op.f("refresh_token_refers_to_oauth_client")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["idp_user.user_id"], name=op.f("refresh_token_refers_to_idp_user")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("refresh_token_pkey")),
    )
    op.create_index("refresh_token_by_authenticated_at", "refresh_token", ["authenticated_at"], unique=False)
    op.create_index("refresh_token_by_family_id", "refresh_token", ["family_id"], unique=False)
    op.create_table(
        "write_key",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the key"),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False, comment="Last four characters, to tell keys apart"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["source_id"], ["source.source_id"], name=op.f("write_key_refers_to_source")),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("write_key_pkey")),
    )
