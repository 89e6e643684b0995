"""What the demo's people arranged: who is limited to a site, and which account manager is away and who stands in."""

from collections.abc import Sequence
from datetime import date, timedelta

from cdp.access.audit import OPERATOR
from cdp.access.managing_members import MemberDesk, members_by_email
from cdp.access.managing_staff import Absence, StaffDesk, staff_by_email
from cdp.access.people import account_by_number
from cdp.db.engine import connect
from cdp.demo.business import Guest
from cdp.demo.catalogue import MANAGERS
from cdp.errors import Mistake

AWAY_DAYS = 9


def arrange(database_url: str, guests: Sequence[Guest], *, today: date) -> None:
    """Limit and stand in. Taken again, it says the same."""
    with connect(database_url, "cdp_app") as connection:
        members = MemberDesk(connection, OPERATOR)
        for guest in guests:
            for member_id in members_by_email(connection, guest.email) if guest.sites else ():
                for number, _role in guest.accounts:
                    _went_well(members.set_sites(member_id, account_by_number(connection, number), guest.sites))
        away, deputy = (staff_by_email(connection, manager.email) for manager in MANAGERS[:2])
        if away and deputy:
            absence = Absence(
                from_on=today - timedelta(days=1), to_on=today + timedelta(days=AWAY_DAYS), deputy_id=deputy
            )
            _went_well(StaffDesk(connection, OPERATOR).set_absence(away, absence))


def _went_well(outcome: object) -> None:
    assert not isinstance(outcome, Mistake), outcome  # noqa: S101 — what the desk refuses here is a fault of ours
