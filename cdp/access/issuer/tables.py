"""Tables of the embedded issuer: OAuth clients, people who sign in, keys, codes, refresh tokens, revocations.

Own models rather than Authlib's mixins, which keep secrets in clear. What a client or browser brings back (secret,
code, refresh token, cookie) has 256 random bits and is stored as SHA-256; passwords are Argon2id; private keys are
sealed with CDP_SECRET_KEY.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from cdp.db.metadata import at, metadata, new_id, reference

oauth_client = Table(
    "oauth_client",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, comment="SHA-256 of the secret; NULL for a client without one"),
    Column("auth_method", Text, nullable=False, comment="client_secret_basic, private_key_jwt or none (public)"),
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
    Column("jwks", JSONB, comment="Public keys of a client that signs (RFC 7523)"),
    Column("backchannel_logout_uri", Text, comment="Where it is told that a session ended"),
    Column("tokens_from", DateTime(timezone=True), comment="Access tokens issued earlier are refused"),
    CheckConstraint("auth_method IN ('client_secret_basic', 'private_key_jwt', 'none')", name="auth_method_is_known"),
    CheckConstraint(
        "(auth_method = 'client_secret_basic') = (secret_hash IS NOT NULL)"
        " AND (auth_method = 'private_key_jwt') = (jwks IS NOT NULL)",
        name="secret_or_keys",
    ),
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
    Column("device", Text, comment="Browser and system, in words"),
    Column("methods", ARRAY(Text), nullable=False, server_default="{pwd}", comment="RFC 8176: `amr`"),
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
    Column(
        "signs_from",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
        comment="Published before it signs, so that nobody meets it unknown",
    ),
    Column("withdrawn_at", DateTime(timezone=True), comment="Nothing it signed is believed any more"),
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
    Column("methods", ARRAY(Text), nullable=False, server_default="{pwd}"),
    Index("authorization_code_by_created_at", "created_at"),
    Index("authorization_code_by_sid", "sid"),
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

password_reset = Table(
    "password_reset",
    metadata,
    Column("reset_hash", LargeBinary, primary_key=True, comment="SHA-256 of the link's secret"),
    Column("user_id", ForeignKey(idp_user.c.user_id), nullable=False),
    at("created_at", now=True),
    Index("password_reset_by_user_id", "user_id"),
    info=reference(),
)

authenticator = Table(
    "authenticator",
    metadata,
    Column("user_id", ForeignKey(idp_user.c.user_id), primary_key=True),
    Column("sealed_secret", LargeBinary, nullable=False, comment="The shared secret (RFC 6238)"),
    at("created_at", now=True),
    info=reference(),
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True, comment="Keyed hash of the code and its owner"),
    Column("user_id", ForeignKey(idp_user.c.user_id), nullable=False),
    at("created_at", now=True),
    at("used_at", nullable=True),
    Index("recovery_code_by_user_id", "user_id"),
    info=reference(),
)

passkey = Table(
    "passkey",
    metadata,
    Column("credential_id", LargeBinary, primary_key=True, comment="As the authenticator names it"),
    Column("user_id", ForeignKey(idp_user.c.user_id), nullable=False),
    Column("public_key", LargeBinary, nullable=False, comment="COSE key"),
    Column("sign_count", BigInteger, nullable=False, comment="0 where the authenticator does not count"),
    Column("name", Text, nullable=False, comment="What its owner calls it"),
    Column("transports", ARRAY(Text), nullable=False, server_default="{}"),
    at("created_at", now=True),
    at("last_used_at", nullable=True),
    Index("passkey_by_user_id", "user_id"),
    info=reference(),
)

logout_notice = Table(
    "logout_notice",
    metadata,
    new_id("notice_id"),
    Column("client_id", ForeignKey(oauth_client.c.client_id), nullable=False),
    Column("subject", Text, nullable=False),
    Column("sid", Uuid, comment="The session that ended; NULL: all of the subject's"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    at("created_at", now=True),
    at("due_at", now=True),
    Index("logout_notice_by_due_at", "due_at"),
    info=reference(),
)
