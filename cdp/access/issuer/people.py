"""The issuer's routes for people: authorize with its sign-in page and second step, sign-out, and the page of an invitation."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import OAuth2Error
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cdp.access.clients import EXTRANET_CLIENT_ID
from cdp.access.devices import device
from cdp.access.issuer.edge import MOST_FIELDS, Edge, form_fields, origin_of, query_fields
from cdp.access.issuer.endpoints import validated_end_session
from cdp.access.issuer.factors import factors_of
from cdp.access.issuer.forms import TOO_OLD, Forms, address_of, problem_of, too_many_attempts
from cdp.access.issuer.invites import NotTheInvited, OpenInvite, accept_invite, open_invite
from cdp.access.issuer.passkeys import request_options, use_passkey
from cdp.access.issuer.records import SignedIn
from cdp.access.issuer.second_step import PURPOSE as SECOND_STEP
from cdp.access.issuer.second_step import password_was_right, prove, whose_password_was_right
from cdp.access.issuer.server import API_SCOPES, IssuerRequest, IssuerServer
from cdp.access.issuer.sign_in import Wait, Wrong, check_password, open_session, signed_in
from cdp.access.issuer.store import fetch, note
from cdp.access.passwords import SHORTEST
from cdp.access.sealing import digest
from cdp.errors import InvalidField, NotFound
from cdp.languages import N_, _

Fields = list[tuple[str, str]]
_ASKED_ONCE = frozenset({"prompt", "max_age"})  # satisfied by the sign-in they asked for
TO_SECURITY: Final = "security"  # in place of an authorization request: the person's own page
_ALONE: Final = "sign in"  # what a passkey is asked for that stands in for e-mail and password


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """Somebody has to sign in first, for what `leads_on` says, and the answer goes to this origin."""

    leads_on: str
    leads_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """The request is wrong in a way that must not be sent to the address it names."""

    description: str


OWN_PAGE: Final = _Ask(leads_on=N_("to continue to your security settings"), leads_to="")
ROLES: Final[Mapping[str, str]] = {
    "client_admin": N_("administrator"),
    "finance": N_("finance"),
    "buyer": N_("buyer"),
    "viewer": N_("viewer"),
}


class People:
    """Routes that people see."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._forms = Forms(edge)

    async def authorize(self, request: Request) -> Response:
        """The authorization endpoint (RFC 6749 §3.1): a code for who is signed in, else the sign-in page."""
        fields = await form_fields(request) if request.method == "POST" else query_fields(request)
        async with self._edge.pool().connection() as connection, connection.transaction():
            user = await signed_in(connection, self._edge.session_cookie.read(request), self._edge.issuer)
        asked = self._edge.request(request, "/authorize", fields)
        decided = await self._edge.with_server(lambda server: _decide(server, asked, user))
        if isinstance(decided, Response):
            return decided
        return self.sign_in_page(request, urlencode(fields), decided)

    async def sign_in(self, request: Request) -> Response:
        """The sign-in form: on to where the person wanted to go, to the second step, or the page again."""
        form = dict(await form_fields(request))
        asked = form.get("request", "")
        decided = await self._decided(request, asked)
        if isinstance(decided, Response):
            return decided
        email = form.get("email", "")
        if isinstance(decided, _Problem) or not self._forms.is_ours(request, form, "sign in"):
            return self.sign_in_page(request, asked, decided, problem=_(TOO_OLD), email=email, status=403)
        if form.get("credential"):
            return await self._by_passkey(request, form, asked, decided)
        found = await check_password(
            self._edge.pool, email=email, password=form.get("password", ""), address=address_of(request)
        )
        if isinstance(found, Wait):
            problem = too_many_attempts(found.seconds)
            again = self.sign_in_page(request, asked, decided, problem=problem, email=email, status=429)
            again.headers["Retry-After"] = str(found.seconds)
            return again
        if isinstance(found, Wrong):
            problem = _("The e-mail or the password is not right.")
            return self.sign_in_page(request, asked, decided, problem=problem, email=email, status=422)
        async with self._edge.pool().connection() as connection, connection.transaction():
            factors = await factors_of(connection, found)
        if factors.are_on:
            return await self._second_step_page(request, asked, decided, found)
        return await self._enter(request, asked, found, ["pwd"])

    async def second_step(self, request: Request) -> Response:
        """The second step's form: a code of the authenticator, a recovery code, or a passkey."""
        form = dict(await form_fields(request))
        asked = form.get("request", "")
        decided = await self._decided(request, asked)
        if isinstance(decided, Response):
            return decided
        ceremony = self._forms.ceremony(self._forms.browser(request))
        user_id = whose_password_was_right(ceremony, form.get("noted", ""))
        if user_id is None or isinstance(decided, _Problem) or not self._forms.is_ours(request, form, SECOND_STEP):
            return self.sign_in_page(request, asked, decided, problem=_(TOO_OLD), status=403)
        async with self._edge.pool().connection() as connection, connection.transaction():
            proved = await prove(
                connection,
                ceremony,
                user_id,
                code=form.get("code", ""),
                credential=form.get("credential", ""),
                challenge=form.get("challenge", ""),
            )
        if isinstance(proved, Wait):
            problem = too_many_attempts(proved.seconds)
            page = await self._second_step_page(request, asked, decided, user_id, problem=problem, status=429)
            page.headers["Retry-After"] = str(proved.seconds)
            return page
        if isinstance(proved, Wrong):
            problem = _("That code is not right, or was used before.")
            return await self._second_step_page(request, asked, decided, user_id, problem=problem, status=422)
        return await self._enter(request, asked, user_id, list(proved.methods))

    async def _by_passkey(self, request: Request, form: dict[str, str], asked: str, decided: _Ask) -> Response:
        async with self._edge.pool().connection() as connection, connection.transaction():
            user_id = await use_passkey(
                connection,
                self._forms.ceremony(self._forms.browser(request)),
                credential=form["credential"],
                challenge=form.get("challenge", ""),
                purpose=_ALONE,
            )
            if user_id is None:
                await note(connection, "idp_sign_in", actor="unknown", refused="wrong_passkey")
        if user_id is None:
            problem = _("That passkey is not known here. Please sign in with your password.")
            return self.sign_in_page(request, asked, decided, problem=problem, status=422)
        return await self._enter(request, asked, user_id, ["pop", "user", "mfa"])

    async def _enter(self, request: Request, asked: str, user_id: UUID, methods: list[str]) -> Response:
        """The session is open: on to where the person wanted to go."""
        async with self._edge.pool().connection() as connection, connection.transaction():
            secret = await open_session(
                connection,
                user_id,
                replaced=self._edge.session_cookie.read(request),
                methods=methods,
                device=device(request.headers.get("user-agent", "")),
            )
        again = urlencode([(name, value) for name, value in _fields(asked) if name not in _ASKED_ONCE])
        target = TO_SECURITY if asked == TO_SECURITY else f"authorize?{again}"
        answer = RedirectResponse(f"{self._edge.path}/{target}", status_code=303)
        self._edge.session_cookie.write(answer, secret)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def _decided(self, request: Request, asked: str) -> Response | _Ask | _Problem:
        """What a sign-in is for, by the form's own word: checked as if it came anew."""
        if asked == TO_SECURITY:
            return OWN_PAGE
        made = self._edge.request(request, "/authorize", _fields(asked))
        return await self._edge.with_server(lambda server: _decide(server, made, None))

    async def end_session(self, request: Request) -> Response:
        """RP-initiated logout: at once with a valid `id_token_hint`, else after asking."""
        form = await form_fields(request) if request.method == "POST" else query_fields(request)
        fields = dict(form)
        asked = self._edge.request(request, "/end-session", form)
        found = await self._edge.with_server(lambda server: validated_end_session(server, asked))
        if isinstance(found, OAuth2Error):
            return self._forms.message(_("Sign out"), _("This sign-out link is not valid."), status=400)
        confirmed = (
            request.method == "POST"
            and fields.get("confirmed") == "yes"
            and self._forms.is_ours(request, fields, "sign out")
        )
        if found.needs_confirmation and not confirmed:
            return self._forms.page(request, "sign_out.html", "sign out")
        secret = self._edge.session_cookie.read(request)
        if secret is not None and confirmed:
            async with self._edge.pool().connection() as connection, connection.transaction():
                await fetch(connection, "close_idp_session", session=digest(secret), sid=None)
        if not found.needs_confirmation:
            await self._edge.with_server(lambda server: server.create_endpoint_response("end_session", found))
        target = found.redirect_uri
        done = (
            RedirectResponse(target, status_code=303)
            if target
            else self._forms.message(_("Signed out"), _("You are signed out."))
        )
        self._edge.session_cookie.forget(done)
        done.headers["Cache-Control"] = "no-store"
        return done

    async def invite(self, request: Request) -> Response:
        """The page of an invitation, and its form."""
        secret = request.path_params["secret"]
        try:
            if request.method == "POST":
                return await self._accept(request, secret)
            async with self._edge.pool().connection() as connection, connection.transaction():
                invite = await open_invite(connection, secret)
        except NotFound:
            over = _("This invitation was already used, or has expired; ask for a new one.")
            return self._forms.message(_("Invitation"), over, status=404)
        return self._invite_page(request, invite)

    async def _accept(self, request: Request, secret: str) -> Response:
        form = dict(await form_fields(request))
        async with self._edge.pool().connection() as connection, connection.transaction():
            invite = await open_invite(connection, secret)
        name = form.get("name", "")
        if not self._forms.is_ours(request, form, "invite"):
            return self._invite_page(request, invite, problem=_(TOO_OLD), name=name, status=403)
        try:
            await accept_invite(
                self._edge.pool,
                secret,
                name=name,
                password=form.get("password", ""),
                issuer=self._edge.issuer,
                address=address_of(request),
            )
        except InvalidField as error:
            return self._invite_page(request, invite, problem=problem_of(error), name=name, status=422)
        except NotTheInvited:
            problem = _("This is not the password of the person who is invited.")
            return self._invite_page(request, invite, problem=problem, name=name, status=422)
        return self._forms.message(
            _("Welcome"),
            _("You are now a member of %(account)s.") % {"account": invite.name},
            link=f"{self._edge.settings.extranet_url}/sign-in",
            link_text=_("Sign in"),
        )

    def sign_in_page(
        self,
        request: Request,
        asked: str,
        decided: _Ask | _Problem,
        *,
        problem: str = "",
        email: str = "",
        status: int = 200,
    ) -> Response:
        """The page to sign in on; `asked` is the authorization request, or `TO_SECURITY`."""
        if isinstance(decided, _Problem):
            return self._forms.message(_("This link does not work"), decided.description, status=400)
        browser = self._forms.browser(request)
        challenge, options = request_options(self._forms.ceremony(browser), purpose=_ALONE)
        return self._forms.page(
            request,
            "sign_in.html",
            "sign in",
            status=status,
            leads_to=decided.leads_to,
            browser=browser,
            has_script=True,
            leads_on=_(decided.leads_on),
            request=asked,
            problem=problem,
            email=email,
            challenge=challenge,
            options=options,
        )

    async def _second_step_page(
        self, request: Request, asked: str, decided: _Ask, user_id: UUID, *, problem: str = "", status: int = 200
    ) -> Response:
        async with self._edge.pool().connection() as connection, connection.transaction():
            factors = await factors_of(connection, user_id)
        browser = self._forms.browser(request)
        ceremony = self._forms.ceremony(browser)
        challenge, options = (
            request_options(ceremony, purpose=SECOND_STEP, have=factors.passkeys) if factors.passkeys else ("", "")
        )
        return self._forms.page(
            request,
            "second_step.html",
            SECOND_STEP,
            status=status,
            leads_to=decided.leads_to,
            browser=browser,
            has_script=bool(factors.passkeys),
            request=asked,
            noted=password_was_right(ceremony, user_id),
            has_authenticator=factors.authenticator_since is not None,
            challenge=challenge,
            options=options,
            problem=problem,
        )

    def _invite_page(
        self, request: Request, invite: OpenInvite, *, problem: str = "", name: str = "", status: int = 200
    ) -> Response:
        return self._forms.page(
            request,
            "invite.html",
            "invite",
            status=status,
            is_known=invite.is_known,
            name=name,
            problem=problem,
            shortest=SHORTEST,
            account_name=invite.name,
            role=_(ROLES[invite.role]),
            email=invite.email,
        )


def _fields(asked: str) -> Fields:
    try:
        return parse_qsl(asked, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return []


def _decide(server: IssuerServer, asked: IssuerRequest, user: SignedIn | None) -> Response | _Ask | _Problem:
    """A redirect with a code or an error, or what has to happen first. Runs in a thread."""
    if user is not None and _is_too_long_ago(asked, user):
        user = None
    try:
        grant = server.get_consent_grant(asked, end_user=user)
    except OAuth2Error as error:
        return _refusal(server, asked, error)
    except ValueError:
        # Authlib refuses to describe an error with characters the standard forbids in descriptions.
        return _Problem(description=_("The request holds characters that it may not."))
    if user is None or getattr(grant, "prompt", None) in {"login", "select_account"}:
        is_ours = grant.client.client_id == EXTRANET_CLIENT_ID
        leads_on = _("to continue to the client area") if is_ours else _("to continue to %(client)s")
        return _Ask(leads_on=leads_on % {"client": grant.client.name}, leads_to=origin_of(grant.redirect_uri))
    # Only staff may let a tool act for them; a member's sign-in must never become a token that reads the graph.
    allowed = user.person.is_staff or not set(grant.request.scope.split()) & API_SCOPES
    if not allowed:
        subject, client_id = user.person.get_user_id(), grant.client.client_id
        server.store.note("authorize", actor=subject, refused="not_staff", client_id=client_id)
    answer: Response = server.create_authorization_response(asked, grant_user=user if allowed else None, grant=grant)
    return answer


def _refusal(server: IssuerServer, asked: IssuerRequest, error: OAuth2Error) -> Response | _Problem:
    if not error.redirect_uri:
        return _Problem(description=error.get_error_description() or _("The request is not valid."))
    answer: Response = server.handle_error_response(asked, error)
    # Authlib names the issuer (RFC 9207) in answers to a grant only, not in errors found before there is one.
    answer.headers["location"] = add_params_to_uri(answer.headers["location"], {"iss": server.issuer})
    return answer


def _is_too_long_ago(asked: IssuerRequest, user: SignedIn) -> bool:
    limit = asked.payload.data.get("max_age", "")
    return limit.isdecimal() and time.time() - user.authenticated_at.timestamp() > int(limit)
