"""What is on record of an account, in sentences for its administrators: pure, from records as the graph answers them.

A kind of event that this version has no sentence for is shown by its name in plain words rather than left out.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from extranet.answers import Answer, PageInfo
from extranet.texts import N_, ROLE, _, named

SEEN_BY_STAFF: Final = ("read", "view_as", "view_as_ended")
SHOWN: Final[Mapping[str, tuple[str, dict[str, Any]]]] = MappingProxyType({
    "all": (N_("All"), {}),
    "staff": (N_("Who looked"), {"event": {"in": list(SEEN_BY_STAFF)}}),
    "sign-in": (N_("Signing in"), {"event": {"in": [
        "sign_in", "sign_out", "account_opened", "session_ended", "member_signed_out",
    ]}}),
    "people": (N_("People"), {"event": {"in": [
        "member_invited", "invite_withdrawn", "invite_accepted", "member_role_changed", "member_sites_changed", "member_removed",
        "member_disabled", "member_enabled", "member_linked",
    ]}}),
    "files": (N_("Downloads"), {"event": {"eq": "export"}}),
    "refused": (N_("Refused"), {"outcome": {"eq": "REFUSED"}}),
})  # fmt: skip
"""What the list can be narrowed to, and the filter that does it."""

SENTENCES: Final[Mapping[str, str]] = MappingProxyType({
    "sign_in": N_("Signed in."),
    "sign_out": N_("Signed out."),
    "account_opened": N_("Came to this account from another."),
    "session_ended": N_("Ended a session."),
    "member_signed_out": N_("Signed %(whom)s out everywhere."),
    "export": N_("Took a file away: %(target)s, %(format)s."),
    "read": N_("Looked at the account’s data."),
    "change": N_("Changed the account’s data."),
    "view_as": N_("Saw these pages as you see them, for up to %(minutes)s minutes. Reason: %(reason)s"),
    "view_as_ended": N_("Stopped seeing these pages as you see them."),
    "member_invited": N_("Invited somebody: %(role)s."),
    "member_invited_to_sites": N_("Invited somebody: %(role)s, for %(sites)s."),
    "invite_withdrawn": N_("Withdrew an invitation: %(role)s."),
    "invite_accepted": N_("Accepted an invitation."),
    "member_role_changed": N_("Changed the role of %(whom)s: from %(before)s to %(after)s."),
    "member_sites_changed": N_("Changed which sites %(whom)s sees: from %(sites_before)s to %(sites_after)s."),
    "member_removed": N_("Removed %(whom)s."),
    "member_disabled": N_("Disabled %(whom)s everywhere."),
    "member_enabled": N_("Let %(whom)s in again."),
    "member_linked": N_("Let somebody in: %(role)s."),
    "preferences_changed": N_("Changed preferences."),
    "details_change_asked": N_("Asked for a change of the account’s details."),
})  # fmt: skip


class ActingPerson(Answer, frozen=True, kw_only=True):
    """Somebody on record, by the name they have now."""

    name: str


class ActivityRecord(Answer, frozen=True, kw_only=True):
    """One thing done or refused. `client_id`: the tool through which; `person` None: a tool, or nobody who is known."""

    id: str
    at: datetime
    event: str
    outcome: str
    reason: str | None
    actor: str
    client_id: str | None
    target: str | None
    details: dict[str, Any]
    person: ActingPerson | None

    @property
    def is_sellers(self) -> bool:
        """Whether it was done on the seller's side: through a tool, by its operators, or by its staff as a client."""
        return self.client_id is not None or self.actor == "command line" or self.event.startswith("view_as")

    @property
    def is_refused(self) -> bool:
        """Whether it was refused."""
        return self.outcome == "REFUSED"


class Records(Answer, frozen=True, kw_only=True):
    """A page of records, latest first."""

    nodes: list[ActivityRecord]
    page_info: PageInfo


class NamedPerson(Answer, frozen=True, kw_only=True):
    """Somebody of the account."""

    id: str
    name: str


class NamedPeople(Answer, frozen=True, kw_only=True):
    """People of the account."""

    nodes: list[NamedPerson]


class OwnAccount(Answer, frozen=True, kw_only=True):
    """The account, as far as names are needed."""

    people: NamedPeople


class OwnViewer(Answer, frozen=True, kw_only=True):
    """Who asks."""

    account: OwnAccount | None


class Activity(Answer, frozen=True, kw_only=True):
    """Records, and who belongs to the account."""

    audit_log: Records
    viewer: OwnViewer

    @property
    def names(self) -> dict[str, str]:
        """People of the account by id."""
        account = self.viewer.account
        return {each.id: each.name for each in account.people.nodes} if account else {}


def who(record: ActivityRecord, *, seller: str) -> str:
    """Who did it."""
    if record.person is not None:
        return record.person.name
    return seller if record.is_sellers else _("Somebody who left")


def sentence(record: ActivityRecord, names: Mapping[str, str]) -> str:
    """What was done."""
    told = record.details
    words = {
        "whom": names.get(record.target or "", _("somebody who left")),
        "target": (record.target or "").replace("_", " "),
        "format": str(told.get("format", "")).upper(),
        "minutes": str(told.get("minutes", "")),
        "reason": str(told.get("reason", "")),
        **{name: _role(told.get(name)) for name in ("role", "before", "after")},
        "sites": _sites(told.get("sites")),
        "sites_before": _sites(told.get("before")),
        "sites_after": _sites(told.get("after")),
    }
    event = "member_invited_to_sites" if record.event == "member_invited" and "sites" in told else record.event
    known = SENTENCES.get(event)
    return _(known) % words if known else record.event.replace("_", " ").capitalize() + "."


def _role(given: Any) -> str:
    return named(ROLE, given) if isinstance(given, str) else ""


def _sites(given: Any) -> str:
    return ", ".join(map(str, given)) if isinstance(given, list) else _("all sites")
