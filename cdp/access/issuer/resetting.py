"""The issuer's routes for a forgotten password: asking for a link, and the page that the link leads to."""

from starlette.background import BackgroundTask, BackgroundTasks
from starlette.requests import Request
from starlette.responses import Response

from cdp.access.issuer.edge import Edge, form_fields
from cdp.access.issuer.forms import TOO_OLD, Forms, address_of, problem_of, too_many_attempts
from cdp.access.issuer.resets import ResetOver, mail_reset, may_ask, open_reset, tell_of_change, use_reset
from cdp.access.passwords import SHORTEST
from cdp.errors import InvalidField
from cdp.languages import _
from cdp.mail import sends

_ASKING = "ask for a new password"
_CHOOSING = "choose a new password"


class Resetting:
    """Routes that people see who cannot sign in."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._forms = Forms(edge)

    async def ask(self, request: Request) -> Response:
        """The page that asks for an e-mail, and its form; the answer to it is the same for everybody."""
        if request.method == "GET":
            return self._forms.page(request, "reset.html", _ASKING, problem="", email="")
        form = dict(await form_fields(request))
        email = form.get("email", "")
        if not self._forms.is_ours(request, form, _ASKING):
            return self._forms.page(request, "reset.html", _ASKING, problem=_(TOO_OLD), email=email, status=403)
        async with self._edge.pool().connection() as connection, connection.transaction():
            wait = await may_ask(connection, address=address_of(request))
        if wait:
            problem = too_many_attempts(wait)
            page = self._forms.page(request, "reset.html", _ASKING, problem=problem, email=email, status=429)
            page.headers["Retry-After"] = str(wait)
            return page
        settings = self._edge.settings
        said = _(
            "If somebody with this e-mail signs in here, a letter with a link is on its way. The link works for an hour."
        )
        if not sends(settings) and not settings.is_production:
            kept = _("No mail server is set here, so letters are kept in %(folder)s.")
            said = f"{said} {kept % {'folder': settings.data_dir / 'mail'}}"
        page = self._forms.message(_("Look into your mailbox"), said)
        page.background = BackgroundTask(mail_reset, self._edge.pool, settings, email)
        return page

    async def choose(self, request: Request) -> Response:
        """The page of a link, and its form."""
        secret = request.path_params["secret"]
        try:
            if request.method == "POST":
                return await self._chosen(request, secret)
            async with self._edge.pool().connection() as connection, connection.transaction():
                email = await open_reset(connection, secret)
        except ResetOver:
            over = _("This link was already used, or has expired; ask for a new one.")
            link = {"link": f"{self._edge.path}/reset", "link_text": _("Ask for a new link")}
            return self._forms.message(_("New password"), over, status=404, **link)
        return self._page(request, email)

    async def _chosen(self, request: Request, secret: str) -> Response:
        form = dict(await form_fields(request))
        async with self._edge.pool().connection() as connection, connection.transaction():
            email = await open_reset(connection, secret)
        if not self._forms.is_ours(request, form, _CHOOSING):
            return self._page(request, email, problem=_(TOO_OLD), status=403)
        try:
            user_id = await use_reset(self._edge.pool, secret, password=form.get("password", ""))
        except InvalidField as error:
            return self._page(request, email, problem=problem_of(error), status=422)
        page = self._forms.message(
            _("New password"),
            _("Your password is changed, and you are signed out everywhere."),
            link=f"{self._edge.settings.extranet_url}/sign-in",
            link_text=_("Sign in"),
        )
        what = _("Your password was changed")
        page.background = BackgroundTasks(
            [BackgroundTask(tell_of_change, self._edge.pool, self._edge.settings, user_id, what)]
        )
        self._edge.session_cookie.forget(page)
        return page

    def _page(self, request: Request, email: str, *, problem: str = "", status: int = 200) -> Response:
        return self._forms.page(
            request, "new_password.html", _CHOOSING, status=status, email=email, problem=problem, shortest=SHORTEST
        )
