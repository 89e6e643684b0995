"""The page on which people look after their own signing in: password, authenticator, passkeys, recovery codes and sessions.

Anybody signed in may look. To change something one must have signed in within the last quarter of an hour; who has not is asked
to do so and comes back. Whoever's mailbox it is hears of every change.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from anyio import to_thread
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cdp.access.devices import device_told
from cdp.access.issuer.edge import Edge, form_fields
from cdp.access.issuer.factors import (
    Factors,
    drop_authenticator,
    factors_of,
    make_recovery_codes,
    new_authenticator,
    save_authenticator,
    use_code_of,
)
from cdp.access.issuer.forms import TOO_OLD, Forms, address_of, problem_of, too_many_attempts
from cdp.access.issuer.passkeys import LONGEST_NAME, MOST_PASSKEYS, creation_options, drop_passkey, make_passkey
from cdp.access.issuer.people import OWN_PAGE, TO_SECURITY, People
from cdp.access.issuer.records import SignedIn
from cdp.access.issuer.resets import tell_of_change
from cdp.access.issuer.sign_in import Wait, Wrong, check_password, signed_in
from cdp.access.issuer.store import SQL, fetch, note
from cdp.access.passwords import SHORTEST, hash_password
from cdp.access.sealing import seal_text, unseal_text
from cdp.errors import InvalidField
from cdp.languages import N_, _
from cdp.settings import secret_key

RECENT: Final = timedelta(minutes=15)
_PURPOSE: Final = "security"
_OFFER: Final = "authenticator offer"
_SAID: Final[Mapping[str, str]] = {
    "password": N_("Your password is changed, and your other sessions have ended."),
    "authenticator-removed": N_("Your authenticator app is removed."),
    "passkey": N_("Your passkey is added."),
    "passkey-removed": N_("That passkey is removed."),
    "session": N_("That session has ended."),
    "sessions": N_("All your other sessions have ended."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """Somebody signed in, with a form they sent."""

    request: Request
    form: Mapping[str, str]
    who: SignedIn

    @property
    def user_id(self) -> UUID:
        return self.who.person.user_id


class Security:
    """Routes of the page and of its forms."""

    def __init__(self, edge: Edge, people: People) -> None:
        self._edge = edge
        self._forms = Forms(edge)
        self._people = people
        self._actions: Mapping[str, Callable[[_Visit], Awaitable[Response]]] = {
            "password": self._change_password,
            "authenticator": self._confirm_authenticator,
            "authenticator-remove": self._remove_authenticator,
            "recovery-codes": self._renew_recovery_codes,
            "passkey": self._add_passkey,
            "passkey-remove": self._remove_passkey,
            "session": self._end_session,
            "sessions": self._end_other_sessions,
        }

    async def show(self, request: Request) -> Response:
        """The page."""
        who = await self._who(request)
        if who is None:
            return self._people.sign_in_page(request, TO_SECURITY, OWN_PAGE)
        return await self._page(request, who, said=_said(request.query_params.get("done", "")))

    async def offer_authenticator(self, request: Request) -> Response:
        """A new secret for an authenticator app, to be confirmed by a code."""
        who = await self._who(request)
        if who is None or not _is_recent(who):
            return self._sign_in_again(request)
        return self._offer(request, who)

    async def act(self, request: Request) -> Response:
        """One of the page's forms."""
        form = dict(await form_fields(request))
        who, action = await self._who(request), self._actions.get(request.path_params["action"])
        if action is None:
            return self._forms.message(_("Nothing here"), _("There is no such page."), status=404)
        if who is None or not _is_recent(who):
            return self._sign_in_again(request)
        if not self._forms.is_ours(request, form, _PURPOSE):
            return await self._page(request, who, problem=_(TOO_OLD), status=403)
        try:
            return await action(_Visit(request=request, form=form, who=who))
        except InvalidField as error:
            return await self._page(request, who, problem=problem_of(error), status=422)

    async def _change_password(self, visit: _Visit) -> Response:
        found = await check_password(
            self._edge.pool,
            email=visit.who.person.email,
            password=visit.form.get("current", ""),
            address=address_of(visit.request),
        )
        if isinstance(found, Wait):
            problem = too_many_attempts(found.seconds)
            return await self._page(visit.request, visit.who, problem=problem, status=429)
        if isinstance(found, Wrong):
            problem = _("Your present password is not right.")
            return await self._page(visit.request, visit.who, problem=problem, status=422)
        password_hash = await to_thread.run_sync(hash_password, visit.form.get("password", ""))
        async with self._edge.pool().connection() as connection, connection.transaction():
            await fetch(connection, "save_password", user_id=visit.user_id, password_hash=password_hash)
            await fetch(connection, "end_idp_sessions", user_id=visit.user_id, sid=None, keep=visit.who.sid)
            await note(connection, "password_changed", actor=str(visit.user_id))
        return self._done(visit, "password", _("Your password was changed"))

    async def _confirm_authenticator(self, visit: _Visit) -> Response:
        secret = unseal_text(secret_key(self._edge.settings), _offer_of(visit.user_id), visit.form.get("offer", ""))
        if secret is None:
            return self._offer(visit.request, visit.who)
        async with self._edge.pool().connection() as connection, connection.transaction():
            if not await use_code_of(connection, visit.user_id, secret.decode(), visit.form.get("code", "")):
                problem = _("That code is not right. Please try the one that the app shows now.")
                return self._offer(visit.request, visit.who, secret=secret.decode(), problem=problem, status=422)
            await save_authenticator(connection, self._edge.settings, visit.user_id, secret.decode())
            return await self._with_codes(visit, connection, _("An authenticator app was added"))

    async def _remove_authenticator(self, visit: _Visit) -> Response:
        async with self._edge.pool().connection() as connection, connection.transaction():
            await drop_authenticator(connection, visit.user_id)
        return self._done(visit, "authenticator-removed", _("The authenticator app was removed"))

    async def _renew_recovery_codes(self, visit: _Visit) -> Response:
        async with self._edge.pool().connection() as connection, connection.transaction():
            if not (await factors_of(connection, visit.user_id)).are_on:
                return await self._page(visit.request, visit.who)
            codes = await make_recovery_codes(connection, self._edge.settings, visit.user_id)
        return self._codes_page(visit, codes, _("New recovery codes were made"))

    async def _add_passkey(self, visit: _Visit) -> Response:
        ceremony = self._forms.ceremony(self._forms.browser(visit.request))
        async with self._edge.pool().connection() as connection, connection.transaction():
            if len((await factors_of(connection, visit.user_id)).passkeys) >= MOST_PASSKEYS:
                raise InvalidField(field="passkey", problem=f"would be one too many: {MOST_PASSKEYS} is the most.")
            await make_passkey(
                connection,
                ceremony,
                visit.who.person,
                credential=visit.form.get("credential", ""),
                challenge=visit.form.get("challenge", ""),
                name=visit.form.get("name", ""),
            )
            return await self._with_codes(visit, connection, _("A passkey was added"))

    async def _remove_passkey(self, visit: _Visit) -> Response:
        async with self._edge.pool().connection() as connection, connection.transaction():
            removed = await drop_passkey(connection, visit.user_id, visit.form.get("passkey", ""))
        return self._done(visit, "passkey-removed", _("A passkey was removed") if removed else None)

    async def _end_session(self, visit: _Visit) -> Response:
        try:
            sid = UUID(visit.form.get("session", ""))
        except ValueError:
            return self._done(visit, "session")
        await self._end(visit, sid=sid, keep=None)
        return self._done(visit, "session")

    async def _end_other_sessions(self, visit: _Visit) -> Response:
        await self._end(visit, sid=None, keep=visit.who.sid)
        return self._done(visit, "sessions")

    async def _end(self, visit: _Visit, *, sid: UUID | None, keep: UUID | None) -> None:
        async with self._edge.pool().connection() as connection, connection.transaction():
            row = await fetch(connection, "end_idp_sessions", user_id=visit.user_id, sid=sid, keep=keep)
            ended = row["ended"] if row else 0
            if ended:
                await note(
                    connection, "sessions_revoked", actor=str(visit.user_id), sessions=ended, everywhere=sid is None
                )

    async def _with_codes(self, visit: _Visit, connection: AsyncConnection[Any], what: str) -> Response:
        """After a first factor: recovery codes, which are shown once. After a further one: back to the page."""
        if (await factors_of(connection, visit.user_id)).recovery_codes:
            return self._done(visit, "passkey", what)
        codes = await make_recovery_codes(connection, self._edge.settings, visit.user_id)
        return self._codes_page(visit, codes, what)

    def _codes_page(self, visit: _Visit, codes: tuple[str, ...], what: str) -> Response:
        page = self._forms.page(visit.request, "recovery_codes.html", _PURPOSE, codes=codes)
        page.background = self._letter(visit, what)
        return page

    def _done(self, visit: _Visit, said: str, what: str | None = None) -> Response:
        answer = RedirectResponse(f"{self._edge.path}/{TO_SECURITY}?done={said}", status_code=303)
        answer.headers["Cache-Control"] = "no-store"
        if what is not None:
            answer.background = self._letter(visit, what)
        return answer

    def _letter(self, visit: _Visit, what: str) -> BackgroundTask:
        return BackgroundTask(tell_of_change, self._edge.pool, self._edge.settings, visit.user_id, what)

    def _offer(
        self, request: Request, who: SignedIn, *, secret: str | None = None, problem: str = "", status: int = 200
    ) -> Response:
        settings = self._edge.settings
        made = new_authenticator(email=who.person.email, seller=settings.seller_name, secret=secret)
        offer = seal_text(secret_key(settings), _offer_of(who.person.user_id), made.secret.encode())
        return self._forms.page(
            request, "authenticator.html", _PURPOSE, status=status, offer=offer, made=made, problem=problem
        )

    def _sign_in_again(self, request: Request) -> Response:
        problem = _("To change something here, please sign in once more.")
        return self._people.sign_in_page(request, TO_SECURITY, OWN_PAGE, problem=problem, status=401)

    async def _page(
        self, request: Request, who: SignedIn, *, said: str = "", problem: str = "", status: int = 200
    ) -> Response:
        async with self._edge.pool().connection() as connection, connection.transaction():
            factors: Factors = await factors_of(connection, who.person.user_id)
            async with connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(SQL["idp_sessions"], {"user_id": who.person.user_id})
                sessions = await cursor.fetchall()
        browser = self._forms.browser(request)
        challenge, options = creation_options(self._forms.ceremony(browser), who.person, factors.passkeys)
        return self._forms.page(
            request,
            "security.html",
            _PURPOSE,
            status=status,
            browser=browser,
            has_script=True,
            person=who.person,
            factors=factors,
            sessions=[
                {**row, "device": device_told(row["device"]), "current": row["sid"] == who.sid} for row in sessions
            ],
            is_recent=_is_recent(who),
            challenge=challenge,
            options=options,
            shortest=SHORTEST,
            longest_name=LONGEST_NAME,
            extranet_url=self._edge.settings.extranet_url,
            said=said,
            problem=problem,
        )

    async def _who(self, request: Request) -> SignedIn | None:
        async with self._edge.pool().connection() as connection, connection.transaction():
            return await signed_in(connection, self._edge.session_cookie.read(request), self._edge.issuer)


def _is_recent(who: SignedIn) -> bool:
    return datetime.now(UTC) - who.authenticated_at <= RECENT


def _said(done: str) -> str:
    return _(_SAID[done]) if done in _SAID else ""


def _offer_of(user_id: UUID) -> str:
    return f"{_OFFER} {user_id}"
