"""Tables of the embedded issuer: OAuth clients, people who sign in, keys, codes, refresh tokens, revocations.

Own models rather than Authlib's mixins, which keep secrets in clear. What a client or browser brings back (secret,
code, refresh token, cookie) has 256 random bits and is stored as SHA-256; passwords are Argon2id; private keys are
sealed with CDP_SECRET_KEY.
"""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, Uuid
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from cdp.db.metadata import at, metadata, new_id, reference

oauth_client = Table(
    "oauth_client",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, comment="SHA-256 of the secret; NULL for a public client"),
    Column("auth_method", Text, nullable=False, comment="client_secret_basic or none (public)"),
    Column("grant_types", ARRAY(Text), nullable=False),
    Column("redirect_uris", ARRAY(Text), nullable=False, server_default="{}"),
    Column("post_logout_redirect_uris", ARRAY(Text), nullable=False, server_default="{}"),
    Column("scopes", ARRAY(Text), nullable=False, comment="Most it may ever ask for"),
    Column(
        "trusted_only",
        Boolean,
        nullable=False,
        server_default="false",
        comment="Whether it may run trusted documents only",
    ),
    at("created_at", now=True),
    at("disabled_at", nullable=True),
    CheckConstraint("auth_method IN ('client_secret_basic', 'none')", name="auth_method_is_known"),
    CheckConstraint("(auth_method = 'none') = (secret_hash IS NULL)", name="secret_unless_public"),
    CheckConstraint(
        "auth_method <> 'none' OR NOT 'client_credentials' = ANY (grant_types)", name="public_has_no_credentials"
    ),
    info=reference(),
)

idp_user = Table(
    "idp_user",
    metadata,
    new_id("user_id"),
    Column("email", Text, nullable=False, comment="Case-folded"),
    Column("name", Text, nullable=False),
    Column("locale", Text, nullable=False, server_default="en"),
    Column("password_hash", Text, nullable=False, comment="Argon2id"),
    at("created_at", now=True),
    at("password_changed_at", now=True),
    at("disabled_at", nullable=True),
    Unique("email", name="idp_user_has_one_email"),
    info=reference(),
)

idp_session = Table(
    "idp_session",
    metadata,
    Column("session_hash", LargeBinary, primary_key=True, comment="SHA-256 of the cookie"),
    Column("sid", Uuid, nullable=False, comment="Public name of the session, in ID tokens"),
    Column("user_id", ForeignKey(idp_user.c.user_id), nullable=False),
    at("authenticated_at"),
    at("last_seen_at", now=True),
    Unique("sid", name="idp_session_has_one_sid"),
    Index("idp_session_by_user_id", "user_id"),
    info=reference(),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", Text, primary_key=True, comment="RFC 7638 thumbprint"),
    Column("algorithm", Text, nullable=False),
    Column("public_jwk", JSONB, nullable=False),
    Column("sealed_private_jwk", LargeBinary, nullable=False),
    at("created_at", now=True),
    at("retired_at", nullable=True),
    info=reference(),
)

authorization_code = Table(
    "authorization_code",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True),
    Column("client_id", ForeignKey(oauth_client.c.client_id), nullable=False),
    Column("user_id", ForeignKey(idp_user.c.user_id), nullable=False),
    Column("family_id", Uuid, nullable=False, comment="All tokens that come from this code"),
    Column("redirect_uri", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("nonce", Text),
    Column("code_challenge", Text, nullable=False, comment="S256, nothing else is accepted"),
    Column("sid", Uuid, nullable=False),
    at("authenticated_at"),
    at("created_at", now=True),
    at("redeemed_at", nullable=True),
    Index("authorization_code_by_created_at", "created_at"),
    info=reference(),
)

refresh_token = Table(
    "refresh_token",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("family_id", Uuid, nullable=False),
    Column("client_id", ForeignKey(oauth_client.c.client_id), nullable=False),
    Column("user_id", ForeignKey(idp_user.c.user_id), nullable=False),
    Column("scope", Text, nullable=False),
    at("authenticated_at"),
    at("created_at", now=True),
    at("used_at", nullable=True),
    Index("refresh_token_by_family_id", "family_id"),
    Index("refresh_token_by_authenticated_at", "authenticated_at"),
    info=reference(),
)

token_revocation = Table(
    "token_revocation",
    metadata,
    Column("revoked_id", Text, primary_key=True, comment="An access token's `jti`, or a family's id"),
    at("revoked_at", now=True),
    at("forget_at"),
    Index("token_revocation_by_forget_at", "forget_at"),
    info=reference(),
)

sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True, comment="SHA-256 of the e-mail as typed, or of the address"),
    Column("failures", Integer, nullable=False),
    at("last_failed_at"),
    Index("sign_in_failure_by_last_failed_at", "last_failed_at"),
    info=reference(),
)
