"""The embedded issuer's routes, mounted by the application at `/idp`, and its metadata at the addresses the standards
name.
"""

from collections.abc import Awaitable, Callable, Mapping
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
from cdp.settings import Settings

TOKEN_PATH = "/token"  # noqa: S105 - an address
Work = Callable[[IssuerServer, IssuerRequest], Response]


def issuer_routes(pool: Callable[[], Pool], settings: Settings) -> list[BaseRoute]:
    """Routes to mount at the path of CDP_PUBLIC_URL's issuer, `/idp`. `pool` answers the application's open pool
    (cdp_app).

    The first request makes the signing key and the extranet's client where they are missing; `prepare_issuer` does so
    earlier. Raises InsecureIssuer when CDP_PUBLIC_URL is plain http and not on this machine.
    """
    edge = Edge(pool, settings)
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
        Route("/authorize", _plainly(people.authorize), methods=["GET", "POST"]),
        Route("/sign-in", _plainly(people.sign_in), methods=["POST"]),
        Route("/second-step", _plainly(people.second_step), methods=["POST"]),
        Route("/reset", _plainly(resetting.ask), methods=["GET", "POST"]),
        Route("/reset/{secret}", _plainly(resetting.choose), methods=["GET", "POST"]),
        Route("/security", _plainly(security.show), methods=["GET"]),
        Route("/security/authenticator", _plainly(security.offer_authenticator), methods=["GET"]),
        Route("/security/{action}", _plainly(security.act), methods=["POST"]),
        Route("/end-session", _plainly(people.end_session), methods=["GET", "POST"]),
        Route("/invite/{secret}", _plainly(people.invite), methods=["GET", "POST"]),
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


def _plainly(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """A route for people; what is wrong with their form is said in one sentence."""

    async def respond(request: Request) -> Response:
        try:
            return await endpoint(request)
        except CdpError as error:
            return answer(error.http_status, error.body())

    return respond


def _tells(document: Mapping[str, Any]) -> Callable[[Request], Awaitable[Response]]:
    async def respond(_: Request) -> Response:
        told = answer(200, document)
        told.headers["Cache-Control"] = "public, max-age=300"
        return told

    return respond
