"""The issuer's routes for people: authorize with its sign-in page, sign-out, and the page of an invitation."""

import time
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import OAuth2Error
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cdp.access.cookies import comes_from
from cdp.access.devices import device
from cdp.access.issuer.edge import MOST_FIELDS, Edge, form_fields, origin_of, query_fields
from cdp.access.issuer.endpoints import validated_end_session
from cdp.access.issuer.invites import NotTheInvited, OpenInvite, accept_invite, open_invite
from cdp.access.issuer.pages import page
from cdp.access.issuer.records import SignedIn
from cdp.access.issuer.server import API_SCOPES, IssuerRequest, IssuerServer
from cdp.access.issuer.sign_in import Wait, Wrong, check_password, open_session, signed_in
from cdp.access.issuer.store import fetch
from cdp.access.passwords import SHORTEST
from cdp.access.sealing import digest, equal, new_secret, token_for
from cdp.errors import InvalidField, NotFound

Fields = list[tuple[str, str]]
_ASKED_ONCE = frozenset({"prompt", "max_age"})  # satisfied by the sign-in they asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """Somebody has to sign in first, for this client, whose answer goes to this origin."""

    client_name: str
    leads_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """The request is wrong in a way that must not be sent to the address it names."""

    description: str


class People:
    """Routes that people see."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def authorize(self, request: Request) -> Response:
        """The authorization endpoint (RFC 6749 §3.1): a code for who is signed in, else the sign-in page."""
        fields = await form_fields(request) if request.method == "POST" else query_fields(request)
        async with self._edge.pool().connection() as connection, connection.transaction():
            user = await signed_in(connection, self._edge.session_cookie.read(request), self._edge.issuer)
        asked = self._edge.request(request, "/authorize", fields)
        decided = await self._edge.with_server(lambda server: _decide(server, asked, user))
        if isinstance(decided, Response):
            return decided
        return self._sign_in_page(request, fields, decided)

    async def sign_in(self, request: Request) -> Response:
        """The sign-in form: back to authorize with a new session, or the page again."""
        form = dict(await form_fields(request))
        try:
            fields = parse_qsl(form.get("request", ""), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            fields = []
        asked = self._edge.request(request, "/authorize", fields)
        decided = await self._edge.with_server(lambda server: _decide(server, asked, None))
        if isinstance(decided, Response | _Problem):
            return decided if isinstance(decided, Response) else self._sign_in_page(request, fields, decided)
        email = form.get("email", "")
        if not self._is_ours(request, form, "sign in"):
            problem = "This page was open for too long. Please try again."
            return self._sign_in_page(request, fields, decided, problem=problem, email=email, status=403)
        address = request.client.host if request.client else ""
        found = await check_password(self._edge.pool, email=email, password=form.get("password", ""), address=address)
        if isinstance(found, Wait):
            problem = f"Too many attempts. Please wait {found.seconds} seconds and try again."
            again = self._sign_in_page(request, fields, decided, problem=problem, email=email, status=429)
            again.headers["Retry-After"] = str(found.seconds)
            return again
        if isinstance(found, Wrong):
            problem = "The e-mail or the password is not right."
            return self._sign_in_page(request, fields, decided, problem=problem, email=email, status=422)
        async with self._edge.pool().connection() as connection, connection.transaction():
            secret = await open_session(
                connection,
                found,
                replaced=self._edge.session_cookie.read(request),
                methods=["pwd"],
                device=device(request.headers.get("user-agent", "")),
            )
        again_asked = urlencode([(name, value) for name, value in fields if name not in _ASKED_ONCE])
        answer = RedirectResponse(f"{self._edge.path}/authorize?{again_asked}", status_code=303)
        self._edge.session_cookie.write(answer, secret)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def end_session(self, request: Request) -> Response:
        """RP-initiated logout: at once with a valid `id_token_hint`, else after asking."""
        form = await form_fields(request) if request.method == "POST" else query_fields(request)
        fields = dict(form)
        asked = self._edge.request(request, "/end-session", form)
        found = await self._edge.with_server(lambda server: validated_end_session(server, asked))
        if isinstance(found, OAuth2Error):
            return self._message("Sign out", "This sign-out link is not valid.", status=400)
        confirmed = (
            request.method == "POST" and fields.get("confirmed") == "yes" and self._is_ours(request, fields, "sign out")
        )
        if found.needs_confirmation and not confirmed:
            return self._with_form_cookie(request, "sign_out.html", "sign out")
        secret = self._edge.session_cookie.read(request)
        if secret is not None and confirmed:
            async with self._edge.pool().connection() as connection, connection.transaction():
                await fetch(connection, "close_idp_session", session=digest(secret), sid=None)
        if not found.needs_confirmation:
            await self._edge.with_server(lambda server: server.create_endpoint_response("end_session", found))
        target = found.redirect_uri
        done = RedirectResponse(target, status_code=303) if target else self._signed_out()
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
        except NotFound as error:
            return self._message("Invitation", error.message, status=404)
        return self._invite_page(request, invite)

    async def _accept(self, request: Request, secret: str) -> Response:
        form = dict(await form_fields(request))
        async with self._edge.pool().connection() as connection, connection.transaction():
            invite = await open_invite(connection, secret)
        name = form.get("name", "")
        if not self._is_ours(request, form, "invite"):
            problem = "This page was open for too long. Please try again."
            return self._invite_page(request, invite, problem=problem, name=name, status=403)
        try:
            await accept_invite(
                self._edge.pool,
                secret,
                name=name,
                password=form.get("password", ""),
                issuer=self._edge.issuer,
                address=request.client.host if request.client else "",
            )
        except InvalidField as error:
            problem = f"The {error.field} {error.problem}"
            return self._invite_page(request, invite, problem=problem, name=name, status=422)
        except NotTheInvited as error:
            return self._invite_page(request, invite, problem=error.message, name=name, status=422)
        return self._message(
            "Welcome",
            f"You are now a member of {invite.name}.",
            link=f"{self._edge.settings.extranet_url}/sign-in",
            link_text="Sign in",
        )

    def _sign_in_page(
        self,
        request: Request,
        fields: Fields,
        asked: _Ask | _Problem,
        *,
        problem: str = "",
        email: str = "",
        status: int = 200,
    ) -> Response:
        if isinstance(asked, _Problem):
            return self._message("This link does not work", asked.description, status=400)
        return self._with_form_cookie(
            request,
            "sign_in.html",
            "sign in",
            status=status,
            leads_to=asked.leads_to,
            client_name=asked.client_name,
            request=urlencode(fields),
            problem=problem,
            email=email,
        )

    def _invite_page(
        self, request: Request, invite: OpenInvite, *, problem: str = "", name: str = "", status: int = 200
    ) -> Response:
        values = {"account_name": invite.name, "role": invite.role.replace("_", " "), "email": invite.email}
        return self._with_form_cookie(
            request,
            "invite.html",
            "invite",
            status=status,
            is_known=invite.is_known,
            name=name,
            problem=problem,
            shortest=SHORTEST,
            **values,
        )

    def _with_form_cookie(
        self, browser: Request, template: str, purpose: str, *, status: int = 200, leads_to: str = "", **values: object
    ) -> Response:
        """A page with a form, which only the browser that got it can send."""
        secret = self._edge.form_cookie.read(browser) or new_secret()
        form_token = token_for(secret, purpose)
        answer = page(template, path=self._edge.path, status=status, leads_to=leads_to, form_token=form_token, **values)
        self._edge.form_cookie.write(answer, secret)
        return answer

    def _is_ours(self, request: Request, form: dict[str, str], purpose: str) -> bool:
        secret = self._edge.form_cookie.read(request)
        return (
            secret is not None
            and comes_from(request, self._edge.origin)
            and equal(form.get("form_token", ""), token_for(secret, purpose))
        )

    def _signed_out(self) -> Response:
        return self._message("Signed out", "You are signed out.")

    def _message(self, title: str, message: str, *, status: int = 200, link: str = "", link_text: str = "") -> Response:
        values = {"title": title, "message": message, "link": link, "link_text": link_text}
        return page("message.html", path=self._edge.path, status=status, **values)


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
        return _Problem(description="The request holds characters that it may not.")
    if user is None or getattr(grant, "prompt", None) in {"login", "select_account"}:
        return _Ask(client_name=grant.client.name, leads_to=origin_of(grant.redirect_uri))
    # Only staff may let a tool act for them; a member's sign-in must never become a token that reads the graph.
    allowed = user.person.is_staff or not set(grant.request.scope.split()) & API_SCOPES
    if not allowed:
        subject, client_id = user.person.get_user_id(), grant.client.client_id
        server.store.note("authorize", actor=subject, refused="not_staff", client_id=client_id)
    answer: Response = server.create_authorization_response(asked, grant_user=user if allowed else None, grant=grant)
    return answer


def _refusal(server: IssuerServer, asked: IssuerRequest, error: OAuth2Error) -> Response | _Problem:
    if not error.redirect_uri:
        return _Problem(description=error.get_error_description() or "The request is not valid.")
    answer: Response = server.handle_error_response(asked, error)
    # Authlib names the issuer (RFC 9207) in answers to a grant only, not in errors found before there is one.
    answer.headers["location"] = add_params_to_uri(answer.headers["location"], {"iss": server.issuer})
    return answer


def _is_too_long_ago(asked: IssuerRequest, user: SignedIn) -> bool:
    limit = asked.payload.data.get("max_age", "")
    return limit.isdecimal() and time.time() - user.authenticated_at.timestamp() > int(limit)
