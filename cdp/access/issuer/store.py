"""What the issuer reads and writes, for Authlib, whose server side is synchronous: it runs in a thread, this reaches
back.

One request, one connection, one transaction, committed by the edge (`app.py`) also when the answer is a refusal, so
that what a refusal must leave behind (a burnt code, a dead family) stays.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from anyio import from_thread
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from cdp.access.issuer.records import OAuthClient, Person, RedeemedCode, RefreshToken, SignedIn
from cdp.access.sealing import digest
from cdp.db.statements import load_statements

SQL: Final = load_statements("cdp.access.issuer")


async def fetch(connection: AsyncConnection[Any], statement: str, **values: object) -> dict[str, Any] | None:
    """The first row of a named statement, None when there is none or it returns no rows."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(SQL[statement], values)
        return await cursor.fetchone() if cursor.description else None


async def note(
    connection: AsyncConnection[Any],
    event: str,
    *,
    refused: str | None = None,
    actor: str,
    client_id: str | None = None,
    account_id: UUID | None = None,
    **details: Any,
) -> None:
    """Append to the audit record; `refused` is the reason, when it was. `details` hold no personal data."""
    outcome = "done" if refused is None else "refused"
    values = {"actor": actor, "client_id": client_id, "account_id": account_id, "reason": refused}
    await fetch(connection, "note", event=event, outcome=outcome, details=Jsonb(details), **values)


async def take_once(connection: AsyncConnection[Any], what: str, *, until: datetime) -> bool:
    """Whether `what` comes for the first time; it is remembered, as a hash, until then."""
    row = await fetch(connection, "take_once", token=digest(what), forget=until)
    return row is not None and bool(row["is_new"])


class Store:
    """The issuer's rows, for one request. Call from a worker thread that anyio started."""

    def __init__(self, connection: AsyncConnection[Any], issuer: str) -> None:
        self._connection = connection
        self._issuer = issuer

    def client(self, client_id: str) -> OAuthClient | None:
        """An enabled client."""
        row = self._fetch("client", client_id=client_id)
        return OAuthClient(**row) if row else None

    def person(self, user_id: UUID) -> Person | None:
        """Somebody who may sign in."""
        row = self._fetch("person", user_id=user_id, issuer=self._issuer)
        return Person(**row) if row else None

    def save_code(
        self,
        code: str,
        *,
        client_id: str,
        user: SignedIn,
        redirect_uri: str,
        scope: str,
        nonce: str | None,
        challenge: str,
    ) -> None:
        """Keep a code for a minute."""
        self._fetch(
            "save_code",
            code=digest(code),
            client_id=client_id,
            user_id=user.person.user_id,
            redirect_uri=redirect_uri,
            scope=scope,
            nonce=nonce,
            code_challenge=challenge,
            sid=user.sid,
            authenticated_at=user.authenticated_at,
            methods=user.methods,
        )

    def redeem_code(self, code: str, client: OAuthClient) -> RedeemedCode | None:
        """Use a code up. A code that comes a second time takes every token it ever led to with it (RFC 6749 §4.1.2)."""
        row = self._fetch("redeem_code", code=digest(code), client_id=client.client_id)
        if row:
            return RedeemedCode(**row)
        replayed = self._fetch("family_of_redeemed_code", code=digest(code), client_id=client.client_id)
        if replayed:
            self._replayed("code_replayed", replayed["family_id"], client)
        return None

    def nonce_exists(self, nonce: str, client_id: str) -> bool:
        """Whether the client already used this nonce."""
        return self._fetch("nonce_exists", nonce=nonce, client_id=client_id) is not None

    def save_refresh_token(
        self, token: str, *, family_id: UUID, client_id: str, user_id: UUID, scope: str, authenticated_at: datetime
    ) -> None:
        """Keep a refresh token."""
        self._fetch(
            "save_refresh_token",
            token=digest(token),
            family_id=family_id,
            client_id=client_id,
            user_id=user_id,
            scope=scope,
            authenticated_at=authenticated_at,
        )

    def use_refresh_token(self, token: str, client: OAuthClient) -> RefreshToken | None:
        """Use a refresh token up. One that comes a second time was stolen, now or before: its family dies (RFC 9700
        §4.14).
        """
        row = self._fetch("use_refresh_token", token=digest(token), client_id=client.client_id)
        if row:
            return RefreshToken(**row)
        replayed = self._fetch("family_of_refresh_token", token=digest(token), client_id=client.client_id)
        if replayed:
            self._replayed("refresh_token_replayed", replayed["family_id"], client)
        return None

    def refresh_token(self, token: str, client: OAuthClient) -> RefreshToken | None:
        """A refresh token that can still be used."""
        row = self._fetch("refresh_token", token=digest(token), client_id=client.client_id)
        return RefreshToken(**row) if row else None

    def revoke_family(self, family_id: UUID) -> None:
        """Refuse every token of a family from now on."""
        self._fetch("revoke", revoked_id=str(family_id), family_id=family_id)

    def revoke_access_token(self, jti: str) -> None:
        """Refuse one access token from now on."""
        self._fetch("revoke", revoked_id=jti, family_id=None)

    def is_revoked(self, *ids: str) -> bool:
        """Whether one of these ids is refused."""
        return self._fetch("is_revoked", ids=list(ids)) is not None

    def is_cut_off(self, client_id: str, issued_at: float) -> bool:
        """Whether a client is disabled, or its access tokens of this time (seconds since 1970) are refused."""
        return self._fetch("is_cut_off", client_id=client_id, issued_at=issued_at) is not None

    def take_once(self, what: str, *, until: datetime) -> bool:
        """Whether `what` comes for the first time; it is remembered, as a hash, until then."""
        row = self._fetch("take_once", token=digest(what), forget=until)
        return row is not None and bool(row["is_new"])

    def close_session(self, sid: UUID) -> None:
        """End a session at the issuer by its name in ID tokens."""
        self._fetch("close_idp_session", sid=sid, session=None)

    def note(self, event: str, *, actor: str, refused: str | None = None, client_id: str | None = None) -> None:
        """Append to the audit record."""
        from_thread.run(self._note, event, actor, refused, client_id)

    def _replayed(self, reason: str, family_id: UUID, client: OAuthClient) -> None:
        self.revoke_family(family_id)
        self.note("token", actor=client.client_id, refused=reason, client_id=client.client_id)

    async def _note(self, event: str, actor: str, refused: str | None, client_id: str | None) -> None:
        await note(self._connection, event, actor=actor, refused=refused, client_id=client_id)

    def _fetch(self, statement: str, **values: object) -> dict[str, Any] | None:
        return from_thread.run(self._fetch_here, statement, values)

    async def _fetch_here(self, statement: str, values: dict[str, object]) -> dict[str, Any] | None:
        return await fetch(self._connection, statement, **values)
