"""`cdp member reset`, `sessions`, `sign-out` and `link`: helping people sign in, and out."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer

from cdp.access.viewer import Role
from cdp.cli.access import AsJson, member
from cdp.cli.database import database
from cdp.settings import Settings, SettingsError, load_settings

commands = typer.Typer()

Email = Annotated[str, typer.Argument(help="The member's e-mail.")]


@member.command("reset")
def reset_a_password(
    email: Email,
    *,
    by_mail: Annotated[bool, typer.Option("--mail", help="Mail the link instead of printing it.")] = False,
    without_second_factors: Annotated[
        bool,
        typer.Option(
            "--remove-second-factors",
            help="Take authenticator, passkeys and recovery codes away too, when all are lost.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a link with which somebody chooses a new password: once, within an hour."""
    from cdp.access.audit import OPERATOR
    from cdp.access.issuer.rescue import new_reset_secret, person_with_email, remove_second_factors
    from cdp.access.issuer.resets import LETTERS
    from cdp.mail import send_now

    settings = load_settings()
    if not settings.issuer_is_embedded:
        raise SettingsError(variable="CDP_OIDC_ISSUER", problem="is set: passwords are changed at that issuer.")
    with _connected(settings) as connection:
        user_id = person_with_email(connection, email)
        link = f"{settings.issuer}/reset/{new_reset_secret(connection, user_id, OPERATOR)}"
        removed = remove_second_factors(connection, user_id, OPERATOR) if without_second_factors else 0
    if by_mail:
        send_now(LETTERS.write("reset", to=email.strip(), settings=settings, name="", link=link), settings)
    told = {"email": email, "mailed": by_mail, "second_factors_removed": removed, "expires_hours": 1}
    if not by_mail:
        told["link"] = link
    if as_json:
        typer.echo(json.dumps(told))
    else:
        typer.echo("The letter is on its way." if by_mail else link)


@member.command("sessions")
def list_the_sessions(email: Email, *, as_json: AsJson = False) -> None:
    """Where a member is signed in to the extranet."""
    from cdp.access.managing_members import list_sessions

    with _connected(load_settings()) as connection:
        rows = [row for member_id in _members(connection, email) for row in list_sessions(connection, member_id)]
    told = [
        {
            "device": device or "Unknown browser",
            "signed_in_at": created_at.isoformat(timespec="seconds"),
            "last_seen_at": last_seen_at.isoformat(timespec="seconds"),
            "account": number,
        }
        for _, device, created_at, last_seen_at, number in rows
    ]
    if as_json:
        typer.echo(json.dumps(told))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("browser", "signed in", "last used", "account", box=None, pad_edge=False)
    for one in told:
        table.add_row(one["device"], one["signed_in_at"], one["last_seen_at"], one["account"])
    Console(soft_wrap=True).print(table if told else "No session.")


@member.command("sign-out")
def sign_a_member_out(email: Email, *, as_json: AsJson = False) -> None:
    """End every session of a member, here and at the embedded issuer, and what came of them."""
    from cdp.access.audit import OPERATOR
    from cdp.access.managing_members import MemberDesk, list_sessions

    with _connected(load_settings()) as connection:
        ended = 0
        for member_id in _members(connection, email):
            ended += len(list_sessions(connection, member_id))
            MemberDesk(connection, OPERATOR).sign_out(member_id)
    typer.echo(json.dumps({"email": email, "sessions": ended}) if as_json else f"Sessions ended: {ended}.")


@member.command("link")
def link_a_member(
    email: Email,
    subject: Annotated[
        str, typer.Option(help="What the issuer calls the person: the claim in CDP_OIDC_SUBJECT_CLAIM.")
    ],
    name: Annotated[str, typer.Option(help="The person's name.")],
    account: Annotated[str, typer.Option(help="Number of the account.", metavar="NO")],
    *,
    role: Annotated[Role, typer.Option(help="What they may see there.")],
    as_json: AsJson = False,
) -> None:
    """Let somebody who signs in at CDP_OIDC_ISSUER into an account."""
    from cdp.access.audit import OPERATOR, record
    from cdp.access.people import create_membership
    from cdp.db.ids import format_id

    settings = load_settings()
    if settings.issuer_is_embedded:
        raise SettingsError(variable="CDP_OIDC_ISSUER", problem="is not set: `cdp member invite` lets people in here.")
    with _connected(settings) as connection:
        member_id = create_membership(
            connection,
            issuer=settings.issuer,
            subject=subject,
            email=email.strip(),
            name=name,
            accounts=[(account, role)],
        )
        told = {"member": format_id("mem", member_id), "account": account, "role": role.value}
        record(connection, OPERATOR.did("member_linked", told["member"], role=role.value))
    typer.echo(json.dumps(told) if as_json else f"{email} is {role.value} of {account}.")


@contextmanager
def _connected(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    from cdp.db.engine import connect

    with database(settings) as url, connect(url) as connection:
        yield connection


def _members(connection: psycopg.Connection[Any], email: str) -> list[UUID]:
    from cdp.access.issuer.rescue import NobodySignsIn
    from cdp.access.managing_members import members_by_email

    found = members_by_email(connection, email)
    if not found:
        raise NobodySignsIn(email=email)
    return found
