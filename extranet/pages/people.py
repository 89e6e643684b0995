"""People of the account, for its client admins: who may sign in, who is invited; inviting, roles, sites, removal.

Whoever changes something signed in a short while ago (`recently`). What may be is decided by the database at each change; a
mistake comes back to the form that made it.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import msgspec
from starlette.responses import RedirectResponse, Response

from cdp.access.viewer import Role
from extranet.forms import UserError
from extranet.people import LIMITED_ROLES, MOST_LISTED, ROLES, AccountPerson, FoundPerson, People, Places
from extranet.portal import Visit
from extranet.refusals import PageNotFound
from extranet.texts import N_, _

PAGE_SIZE: Final = 50
_ID: Final = re.compile(r"mem_[0-9a-f]{32}", re.ASCII)
MISTAKES: Final[Mapping[str, str]] = MappingProxyType({
    "email_invalid": N_("This is no e-mail address."),
    "already_member": N_("Somebody with this e-mail address belongs to the account already."),
    "letter_refused": N_("The invitation can’t be delivered to this address. Nobody was invited."),
    "mail_unavailable": N_("Letters can’t be sent at the moment. Nobody was invited; please try again later."),
    "invited_elsewhere": N_("People are invited where your company manages sign-in. Ask your account manager."),
    "last_client_admin": N_("An account keeps an administrator. Make somebody else one first."),
    "no_site": N_("Choose at least one site, or all sites."),
    "site_unknown": N_("None of your orders names one of these sites."),
    "role_sees_every_site": N_(
        "Finance and administrators see the statement of the whole account, so they can’t be limited to sites. Choose all"
        " sites, or another role."
    ),
})  # fmt: skip
SITE_MISTAKES: Final = ("no_site", "site_unknown", "too_many_sites", "role_sees_every_site")
DONE: Final[Mapping[str, str]] = MappingProxyType({
    "invited": N_("The invitation is on its way. It is good for 72 hours."),
    "withdrawn": N_("That invitation is good for nothing now."),
    "changed": N_("Their role has changed."),
    "limited": N_("The sites that they see have changed."),
    "removed": N_("They can’t sign in to this account any more."),
})  # fmt: skip


async def listing(visit: Visit) -> Response:
    """Who belongs to the account, and who is invited."""
    _require_admin(visit)
    found = await visit.ask("people", People, ("viewer", "account"), **visit.place(PAGE_SIZE))
    if found is None:
        raise PageNotFound
    done = DONE.get(visit.query.get("done", ""))
    return visit.page("people.html", found=found, me=_me(visit), done=done and _(done), roles=ROLES)


async def invite_form(visit: Visit) -> Response:
    """Whom to invite, as what."""
    _require_admin(visit)
    return await _invite_form(visit, {"email": "", "role": Role.VIEWER.value}, None)


async def invite(visit: Visit) -> Response:
    """Invite them."""
    _require_admin(visit)
    form = await visit.read_own_form()
    sites = _sites(form)
    given = {**_account(visit), "email": form.get("email", "").strip(), "role": _role(form), "sites": sites}
    mistakes = await _change(visit, "member_invite", "memberInvite", **given)
    return await _invite_form(visit, form, sites, mistakes) if mistakes else _done("invited")


async def withdraw(visit: Visit) -> Response:
    """Withdraw an invitation. One that is no more is what was wanted."""
    _require_admin(visit)
    form = await visit.read_own_form()
    await _change(visit, "member_invite_withdraw", "memberInviteWithdraw", inviteId=form.get("invite", ""))
    return _done("withdrawn")


async def detail(visit: Visit) -> Response:
    """One of them."""
    _require_admin(visit)
    found = await _found(visit)
    return _detail(visit, found, found.people.nodes[0].sites)


async def change(visit: Visit) -> Response:
    """Give them another role."""
    _require_admin(visit)
    form = await visit.read_own_form()
    found = await _found(visit)
    person = found.people.nodes[0]
    mistakes = await _change(
        visit, "member_set_role", "memberSetRole", **_account(visit), memberId=person.id, role=_role(form)
    )
    return _detail(visit, found, person.sites, mistakes) if mistakes else _done("changed")


async def limit(visit: Visit) -> Response:
    """Limit them to sites, or let them see every one."""
    _require_admin(visit)
    form = await visit.read_own_form()
    found = await _found(visit)
    sites = _sites(form)
    mistakes = await _change(
        visit, "member_set_sites", "memberSetSites", **_account(visit), memberId=found.people.nodes[0].id, sites=sites
    )
    return _detail(visit, found, sites, mistakes) if mistakes else _done("limited")


async def remove(visit: Visit) -> Response:
    """Let them into the account no more."""
    _require_admin(visit)
    await visit.read_own_form()
    found = await _found(visit)
    person = found.people.nodes[0]
    mistakes = await _change(visit, "member_remove", "memberRemove", **_account(visit), memberId=person.id)
    return _detail(visit, found, person.sites, mistakes) if mistakes else _done("removed")


def _require_admin(visit: Visit) -> None:
    if visit.session.role is not Role.CLIENT_ADMIN:
        raise PageNotFound


async def _found(visit: Visit) -> FoundPerson:
    """The person of the address, and the account's sites."""
    named = visit.request.path_params["id"]
    if not _ID.fullmatch(named):
        raise PageNotFound
    found = await visit.ask("person", FoundPerson, ("viewer", "account"), id=named)
    if found is None or not found.people.nodes:
        raise PageNotFound
    return found


async def _change(visit: Visit, operation: str, field: str, **variables: Any) -> tuple[UserError, ...]:
    _payload, mistakes = await visit.change(operation, msgspec.Struct, field, **variables)
    return mistakes


async def _invite_form(
    visit: Visit, form: Mapping[str, str], sites: list[str] | None, mistakes: tuple[UserError, ...] = ()
) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if mistakes else HTTPStatus.OK
    known = await visit.ask("sites", Places, ("viewer", "account"))
    if known is None:
        raise PageNotFound
    return visit.page(
        "invite.html",
        status=status,
        form=form,
        problem=_problem(mistakes),
        is_about_email=bool(mistakes) and mistakes[0].code not in SITE_MISTAKES,
        roles=ROLES,
        **_choice(known.locations, sites),
    )


def _detail(
    visit: Visit, found: FoundPerson, sites: list[str] | None, mistakes: tuple[UserError, ...] = ()
) -> Response:
    """`sites`: what the form has chosen."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY if mistakes else HTTPStatus.OK
    person: AccountPerson = found.people.nodes[0]
    return visit.page(
        "person.html",
        status=status,
        person=person,
        me=_me(visit),
        problem=_problem(mistakes),
        roles=ROLES,
        can_be_limited=person.role.lower() in LIMITED_ROLES,
        **_choice([*found.locations, *(person.sites or [])], sites),
    )


def _choice(known: Sequence[str], chosen: list[str] | None) -> dict[str, Any]:
    """What sites.html shows: sites by name, which are ticked, and whether there may be more than are shown."""
    return {
        "sites": sorted(set(known)),
        "only": chosen is not None,
        "ticked": frozenset(chosen or ()),
        "cut": len(known) >= MOST_LISTED,
    }


def _sites(form: Mapping[str, str]) -> list[str] | None:
    """The sites that a form ticked; None where it chose all."""
    if form.get("which-sites") != "only":
        return None
    return [value for name, value in form.items() if name.startswith("site-")]


def _problem(mistakes: tuple[UserError, ...]) -> str | None:
    if not mistakes:
        return None
    return _(MISTAKES.get(mistakes[0].code, N_("That can’t be done.")))


def _role(form: Mapping[str, str]) -> str:
    """The role a form chose, as the graph calls it; the smallest where it chose none."""
    given = form.get("role", "")
    return (given if given in ROLES else Role.VIEWER.value).upper()


def _account(visit: Visit) -> dict[str, str]:
    return {"accountId": f"acc_{visit.session.account_id.hex}"}


def _me(visit: Visit) -> str:
    return f"mem_{visit.session.member_id.hex}"


def _done(what: str) -> Response:
    return RedirectResponse(f"/people?done={what}", status_code=303)
