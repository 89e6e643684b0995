"""`cdp member list`, `role`, `sites`, `remove`, `disable` and `enable`: who belongs to which account, as what."""

import json
from typing import Annotated, Any
from uuid import UUID

import typer

from cdp.access.viewer import Role
from cdp.cli.access import AsJson, member
from cdp.cli.database import database
from cdp.settings import load_settings

commands = typer.Typer()  # the verbs are the group's in `access`

Who = Annotated[
    str, typer.Argument(help="The member's e-mail, or id (mem_…) where several have that.", metavar="MEMBER")
]
Where = Annotated[str, typer.Option("--account", help="Number of the account.", metavar="NO")]


@member.command("list")
def list_the_members(
    *,
    account: Annotated[str | None, typer.Option(help="Of this account only.", metavar="NO")] = None,
    as_json: AsJson = False,
) -> None:
    """Show members, their accounts and roles."""
    from cdp.access.managing_members import list_members
    from cdp.db.engine import connect
    from cdp.db.ids import format_id

    with database(load_settings()) as url, connect(url) as connection:
        rows = list_members(connection, account)
    shown = [
        {
            "id": format_id("mem", row[0]),
            "email": row[1],
            "name": row[2],
            "disabled": row[3] is not None,
            "accounts": row[4],
        }
        for row in rows
    ]
    if as_json:
        typer.echo(json.dumps(shown))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("e-mail", "name", "accounts", "state", box=None, pad_edge=False)
    for one in shown:
        accounts = "\n".join(f"{each['account']} {each['role']}{_limit(each.get('sites'))}" for each in one["accounts"])
        table.add_row(one["email"], one["name"], accounts, "disabled" if one["disabled"] else "enabled")
    Console(soft_wrap=True).print(table)


@member.command("role")
def set_a_role(
    who: Who,
    account: Where,
    role: Annotated[Role, typer.Argument(help="What they may see there from now on.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Give a member another role in an account; its last client admin stays one."""
    _done(who, f"is {role.value}", lambda desk, one, number: desk.set_role(one, number, role), account, as_json=as_json)


@member.command("sites")
def set_the_sites(
    who: Who,
    account: Where,
    site: Annotated[
        list[str] | None, typer.Argument(help="Sites whose orders they see, as orders name them.", metavar="SITE")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--every", help="Let them see every site.")] = False,
    as_json: AsJson = False,
) -> None:
    """Limit a buyer or viewer to the orders of some sites of an account, or let them see every one."""
    if every == bool(site):
        raise typer.BadParameter("Name sites, or give --every.")
    sites = None if every else site
    told = "sees every site" if every else f"sees {', '.join(site or ())}"
    _done(who, told, lambda desk, one, number: desk.set_sites(one, number, sites), account, as_json=as_json)


@member.command("remove")
def remove_a_member(who: Who, account: Where, *, as_json: AsJson = False) -> None:
    """End a membership, and its sessions at once; an account's last client admin stays one."""
    _done(who, "removed", lambda desk, one, number: desk.remove(one, number), account, as_json=as_json)


@member.command("disable")
def disable_a_member(who: Who, *, as_json: AsJson = False) -> None:
    """Let a member in nowhere any more, their sessions ended at once."""
    _done(who, "disabled", lambda desk, one, _: desk.disable(one), as_json=as_json)


@member.command("enable")
def enable_a_member(who: Who, *, as_json: AsJson = False) -> None:
    """Let a disabled member in again."""
    _done(who, "enabled", lambda desk, one, _: desk.enable(one), as_json=as_json)


def _limit(sites: list[str] | None) -> str:
    return "" if sites is None else f" ({', '.join(sites)})"


def _member_id(connection: Any, who: str) -> UUID:
    from cdp.access.managing_members import members_by_email
    from cdp.cli.mistakes import NotDone
    from cdp.db.ids import parse_id

    found = [named] if (named := parse_id(who, "mem")) is not None else members_by_email(connection, who)
    if not found:
        raise NotDone(problem="There is no such member.")
    if len(found) > 1:
        raise NotDone(problem="Several members have this e-mail; name one by its id: cdp member list --json.")
    return found[0]


def _done(who: str, what: str, act: Any, account: str | None = None, *, as_json: bool) -> None:
    from cdp.access.audit import OPERATOR
    from cdp.access.managing_members import MemberDesk
    from cdp.access.people import account_by_number
    from cdp.cli.mistakes import done
    from cdp.db.engine import connect
    from cdp.db.ids import format_id

    with database(load_settings()) as url, connect(url) as connection:
        member_id = _member_id(connection, who)
        account_id = None if account is None else account_by_number(connection, account)
        done(act(MemberDesk(connection, OPERATOR), member_id, account_id))
    told = {"member": format_id("mem", member_id), "done": what}
    typer.echo(json.dumps(told) if as_json else f"{who}: {what}")
