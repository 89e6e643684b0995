"""Pages with a form, which only the browser that got one can send back: what all routes for people share."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from cdp.access.cookies import comes_from
from cdp.access.issuer.edge import Edge
from cdp.access.issuer.pages import page
from cdp.access.issuer.passkeys import Ceremony
from cdp.access.sealing import equal, new_secret, token_for
from cdp.errors import InvalidField
from cdp.languages import N_, _, ngettext

TOO_OLD: Final = N_("This page was open for too long. Please try again.")

PROBLEMS: Final = (
    N_("The password must have 12 to 256 characters."),
    N_("The name must not be empty."),
    N_("The name must have at most 60 characters."),
    N_("The passkey would be one too many: 20 is the most."),
    N_("The passkey was asked for too long ago. Please try again."),
    N_("The passkey could not be read. Please try again."),
    N_("The passkey is known already."),
)


class Forms:
    """The issuer's pages for people, over one edge."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge

    def page(
        self,
        request: Request,
        template: str,
        purpose: str,
        /,
        *,
        status: int = 200,
        leads_to: str = "",
        browser: str = "",
        has_script: bool = False,
        **values: object,
    ) -> Response:
        """A page with a form for `purpose`. `browser`: the secret of its cookie, where a page needed it before."""
        secret = browser or self.browser(request)
        form_token = token_for(secret, purpose)
        answer = page(
            template,
            path=self.edge.path,
            status=status,
            leads_to=leads_to,
            has_script=has_script,
            form_token=form_token,
            seller=self.edge.settings.seller_name,
            **values,
        )
        self.edge.form_cookie.write(answer, secret)
        return answer

    def browser(self, request: Request) -> str:
        """The secret of this browser's cookie, or a new one for it."""
        return self.edge.form_cookie.read(request) or new_secret()

    def is_ours(self, request: Request, form: Mapping[str, str], purpose: str) -> bool:
        """Whether this browser got the form from us, for this purpose."""
        secret = self.edge.form_cookie.read(request)
        return (
            secret is not None
            and comes_from(request, self.edge.origin)
            and equal(form.get("form_token", ""), token_for(secret, purpose))
        )

    def ceremony(self, browser: str) -> Ceremony:
        """Passkeys in this browser."""
        return Ceremony(settings=self.edge.settings, origin=self.edge.origin, browser=browser)

    def message(self, title: str, message: str, *, status: int = 200, link: str = "", link_text: str = "") -> Response:
        """A page that says one thing."""
        return page(
            "message.html",
            path=self.edge.path,
            status=status,
            title=title,
            message=message,
            link=link,
            link_text=link_text,
        )


def address_of(request: Request) -> str:
    """Where a request comes from, as the server in front of us says."""
    return request.client.host if request.client else ""


def too_many_attempts(seconds: int) -> str:
    """What somebody reads who has to wait."""
    said = ngettext(
        "Too many attempts. Please wait %(seconds)s second and try again.",
        "Too many attempts. Please wait %(seconds)s seconds and try again.",
        seconds,
    )
    return said % {"seconds": seconds}


def problem_of(error: InvalidField) -> str:
    """What is wrong with a field, in a sentence of `PROBLEMS`."""
    sentence = f"The {error.field} {error.problem}"
    return _(sentence)
