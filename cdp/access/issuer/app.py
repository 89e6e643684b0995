"""The embedded issuer's routes, mounted by the application at `/idp`, and its metadata at the addresses the standards
name.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import OAuth2Error
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cdp.access.issuer.edge import Edge, form_fields
from cdp.access.issuer.endpoints import userinfo
from cdp.access.issuer.metadata import metadata
from cdp.access.issuer.pages import passkey_script, stylesheet
from cdp.access.issuer.people import People
from cdp.access.issuer.resetting import Resetting
from cdp.access.issuer.security import Security
from cdp.access.issuer.server import IssuerRequest, IssuerServer, answer
from cdp.access.issuer.sign_in import Pool
from cdp.access.issuer.token_requests import give_token, let_in
from cdp.errors import CdpError, TooManyRequests
from cdp.languages import language_named, language_wanted, speak
from cdp.settings import Settings

TOKEN_PATH = "/token"  # noqa: S105 - an address
LANGUAGE_COOKIE = "idp-language"
Work = Callable[[IssuerServer, IssuerRequest], Response]


def issuer_routes(pool: Callable[[], Pool], settings: Settings) -> list[BaseRoute]:
    """Routes to mount at the path of CDP_PUBLIC_URL's issuer, `/idp`. `pool` answers the application's open pool
    (cdp_app).

    The first request makes the signing key and the extranet's client where they are missing; `prepare_issuer` does so
    earlier. Raises InsecureIssuer when CDP_PUBLIC_URL is plain http and not on this machine.
    """
    edge = Edge(pool, settings)
    plainly = partial(_plainly, edge)
    people, resetting = People(edge), Resetting(edge)
    security = Security(edge, people)

    async def jwks(_: Request) -> Response:
        told = answer(200, (await edge.keys()).jwks)
        told.headers["Cache-Control"] = "public, max-age=300"
        return told

    async def user_info(request: Request) -> Response:
        bearer = request.headers.get("authorization", "")
        return await edge.with_server(lambda server: userinfo(server, bearer))

    async def style(_: Request) -> Response:
        return stylesheet()

    async def script(_: Request) -> Response:
        return passkey_script()

    return [
        Route("/.well-known/openid-configuration", _tells(metadata(edge.issuer))),
        Route("/.well-known/oauth-authorization-server", _tells(metadata(edge.issuer))),
        Route("/authorize", plainly(people.authorize), methods=["GET", "POST"]),
        Route("/sign-in", plainly(people.sign_in), methods=["POST"]),
        Route("/second-step", plainly(people.second_step), methods=["POST"]),
        Route("/reset", plainly(resetting.ask), methods=["GET", "POST"]),
        Route("/reset/{secret}", plainly(resetting.choose), methods=["GET", "POST"]),
        Route("/security", plainly(security.show), methods=["GET"]),
        Route("/security/authenticator", plainly(security.offer_authenticator), methods=["GET"]),
        Route("/security/{action}", plainly(security.act), methods=["POST"]),
        Route("/end-session", plainly(people.end_session), methods=["GET", "POST"]),
        Route("/invite/{secret}", plainly(people.invite), methods=["GET", "POST"]),
        Route(TOKEN_PATH, _machine(edge, TOKEN_PATH, give_token), methods=["POST"]),
        Route("/revoke", _machine(edge, "/revoke", _endpoint("revocation")), methods=["POST"]),
        Route("/introspect", _machine(edge, "/introspect", _endpoint("introspection")), methods=["POST"]),
        Route("/userinfo", user_info, methods=["GET", "POST"]),
        Route("/jwks", jwks),
        Route("/issuer.css", style),
        Route("/passkeys.js", script),
    ]


def well_known_routes(settings: Settings) -> list[BaseRoute]:
    """The metadata where RFC 8414 §3.1 puts them: the well-known part before the issuer's path. For the application's
    root.
    """
    path = urlsplit(settings.issuer).path
    told = _tells(metadata(settings.issuer))
    return [
        Route(f"/.well-known/oauth-authorization-server{path}", told),
        Route(f"/.well-known/openid-configuration{path}", told),
    ]


async def prepare_issuer(pool: Callable[[], Pool], settings: Settings) -> None:
    """Make the signing key and the extranet's client where they are missing. Raises SettingsError for a wrong
    CDP_SECRET_KEY.
    """
    await Edge(pool, settings).keys()


def _endpoint(name: str) -> Work:
    def respond(server: IssuerServer, asked: IssuerRequest) -> Response:
        made: Response = server.create_endpoint_response(name, asked)
        return made

    return respond


def _machine(edge: Edge, path: str, work: Work) -> Callable[[Request], Awaitable[Response]]:
    """A route for programs: a form in, JSON out, whatever was sent."""

    async def respond(request: Request) -> Response:
        try:
            asked = edge.request(request, path, await form_fields(request))
            if path == TOKEN_PATH:
                await let_in(edge, request, asked)
            return await edge.with_server(lambda server: work(server, asked))
        except TooManyRequests as error:
            told = {"error": error.code, "error_description": error.message, **error.body()}
            return answer(error.http_status, told, {"Retry-After": str(error.retry_after_seconds)})
        except CdpError as error:
            return answer(error.http_status, {"error": "invalid_request", "error_description": error.message})
        except OAuth2Error as error:
            return answer(400, {"error": error.error or "invalid_request"})
        except ValueError:
            # Credentials that are no text, or what Authlib will not repeat in a description.
            return answer(400, {"error": "invalid_request"})

    return respond


def _plainly(
    edge: Edge, endpoint: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """A route for people, in their language; what is wrong with their form is said in one sentence.

    The language is the one that a client asks for (`ui_locales`), which the browser keeps for the pages that follow, else the
    one that the browser asks for.
    """

    async def respond(request: Request) -> Response:
        named = language_named(request.query_params.get("ui_locales", ""))
        kept = language_named(request.cookies.get(LANGUAGE_COOKIE, ""))
        speak(named or kept or language_wanted(request.headers.get("accept-language", "")))
        try:
            told = await endpoint(request)
        except CdpError as error:
            return answer(error.http_status, error.body())
        if named and named != kept:
            told.set_cookie(
                LANGUAGE_COOKIE,
                named,
                path=edge.path,
                secure=edge.origin.startswith("https://"),
                httponly=True,
                samesite="lax",
            )
        return told

    return respond


def _tells(document: Mapping[str, Any]) -> Callable[[Request], Awaitable[Response]]:
    async def respond(_: Request) -> Response:
        told = answer(200, document)
        told.headers["Cache-Control"] = "public, max-age=300"
        return told

    return respond
