"""`cdp staff list`, `away` and `back`: who of the company looks after clients, when they are away, and who stands in."""

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from cdp.cli.access import AsJson
from cdp.cli.database import database
from cdp.settings import load_settings

commands = typer.Typer()
staff = typer.Typer(help="The company's own people.")
commands.add_typer(staff, name="staff")

Who = Annotated[str, typer.Argument(help="Their e-mail.", metavar="EMAIL")]
DAY = ["%Y-%m-%d"]


@staff.command("list")
def list_the_staff(*, as_json: AsJson = False) -> None:
    """Show the staff, when they are away, and who stands in."""
    from cdp.access.managing_staff import list_staff
    from cdp.db.engine import connect

    with database(load_settings()) as url, connect(url) as connection:
        rows = list_staff(connection)
    names = ("email", "name", "title", "disabled", "away_from", "away_to", "deputy")
    shown = [dict(zip(names, (*row[:3], row[3] is not None, *row[4:]), strict=True)) for row in rows]
    if as_json:
        typer.echo(json.dumps(shown, default=str))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("e-mail", "name", "title", "state", "away", box=None, pad_edge=False)
    for one in shown:
        away = f"{one['away_from']} to {one['away_to']}, {one['deputy']} stands in" if one["deputy"] else ""
        state = "disabled" if one["disabled"] else "enabled"
        table.add_row(one["email"], one["name"], one["title"] or "", state, away)
    Console(soft_wrap=True).print(table)


@staff.command("away")
def set_an_absence(
    who: Who,
    first: Annotated[datetime, typer.Option("--from", help="First day away.", formats=DAY, metavar="DAY")],
    last: Annotated[datetime, typer.Option("--to", help="Last day away.", formats=DAY, metavar="DAY")],
    deputy: Annotated[str, typer.Option(help="Who stands in, by e-mail.", metavar="EMAIL")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say when somebody is away: clients read who stands in, and letters about cases go there meanwhile."""
    from cdp.access.managing_staff import Absence

    def act(desk: Any, found: UUID, of: Any) -> Any:
        absence = Absence(from_on=first.date(), to_on=last.date(), deputy_id=of(deputy))
        return desk.set_absence(found, absence)

    _done(who, f"away from {first.date()} to {last.date()}, {deputy} stands in", act, as_json=as_json)


@staff.command("back")
def end_an_absence(who: Who, *, as_json: AsJson = False) -> None:
    """Somebody is back, or isn't going to be away."""
    _done(who, "back", lambda desk, found, _of: desk.set_absence(found, None), as_json=as_json)


def _done(who: str, what: str, act: Any, *, as_json: bool) -> None:
    from cdp.access.audit import OPERATOR
    from cdp.access.managing_staff import StaffDesk, staff_by_email
    from cdp.cli.mistakes import NotDone, done
    from cdp.db.engine import connect

    with database(load_settings()) as url, connect(url) as connection:

        def of(email: str) -> UUID:
            found = staff_by_email(connection, email)
            if found is None:
                raise NotDone(problem=f"Nobody of the staff has the e-mail address {email}.")
            return found

        done(act(StaffDesk(connection, OPERATOR), of(who), of))
    typer.echo(json.dumps({"staff": who, "done": what}) if as_json else f"{who}: {what}")
