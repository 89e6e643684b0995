"""`cdp audit list` and `cdp audit forget`: who did what, and forgetting what is old."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cdp.cli.access import AsJson
from cdp.cli.database import database
from cdp.settings import load_settings

commands = typer.Typer()
audit = typer.Typer(help="The audit record: who did what, or was refused it.")
commands.add_typer(audit, name="audit")

NAMES = ("at", "event", "outcome", "actor", "client_id", "account_id", "target", "reason", "details")


@audit.command("list")
def list_records(
    *,
    event: Annotated[str | None, typer.Option(help="Of this event only, e.g. sign_in.")] = None,
    actor: Annotated[str | None, typer.Option(help="Of this subject or client only.")] = None,
    account: Annotated[str | None, typer.Option(help="That concern this account.", metavar="NO")] = None,
    since: Annotated[datetime | None, typer.Option(help="From this day, or instant (UTC), on.")] = None,
    refused: Annotated[bool, typer.Option("--refused", help="Refusals only.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The most to show.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the latest records, newest first; --json prints one object a line."""
    from cdp.access.audit import read_records
    from cdp.db.engine import connect

    with database(load_settings()) as url, connect(url) as connection:
        rows = read_records(
            connection,
            event=event,
            actor=actor,
            number=account,
            since=since.replace(tzinfo=UTC) if since else None,
            only_refused=refused,
            most=limit,
        )
    for row in rows:
        typer.echo(json.dumps(_shown(row)) if as_json else _line(row))


@audit.command("forget")
def forget_records(
    before: Annotated[datetime, typer.Argument(help="Forget what was recorded before this day (UTC).")],
    *,
    as_json: AsJson = False,
) -> None:
    """Forget records older than a day at least 90 days ago; it is recorded. Needs a login that may act as cdp_owner."""
    from cdp.access import audit as record
    from cdp.db.engine import connect

    with database(load_settings()) as url, connect(url, "cdp_owner") as connection:
        forgotten = record.forget_records(connection, before.replace(tzinfo=UTC))
    typer.echo(json.dumps({"forgotten": forgotten}) if as_json else f"{forgotten} records forgotten")


def _shown(row: tuple[Any, ...]) -> dict[str, Any]:
    told = dict(zip(NAMES, row, strict=True))
    return {**told, "at": told["at"].isoformat(), "account_id": str(told["account_id"] or "") or None}


def _line(row: tuple[Any, ...]) -> str:
    told = dict(zip(NAMES, row, strict=True))
    through = f" through {told['client_id']}" if told["client_id"] and told["client_id"] not in told["actor"] else ""
    outcome = f" refused: {told['reason']}" if told["outcome"] == "refused" else ""
    target = f" {told['target']}" if told["target"] else ""
    return f"{told['at']:%Y-%m-%d %H:%M:%S}  {told['event']}{target}{outcome}  by {told['actor']}{through}"
