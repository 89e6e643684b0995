"""`cdp client list`, `update`, `rotate`, `keys`, `disable`, `enable` and `sign-out`: OAuth clients administered."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cdp.access.viewer import Scope
from cdp.cli.access import AsJson, client
from cdp.cli.database import database
from cdp.settings import load_settings

commands = typer.Typer()  # the verbs are the group's in `access`

Which = Annotated[str, typer.Argument(help="The client's id.", metavar="CLIENT_ID")]


@client.command("list")
def list_the_clients(*, as_json: AsJson = False) -> None:
    """Show every OAuth client and what it may do."""
    from cdp.access.managing_clients import list_clients
    from cdp.db.engine import connect

    with database(load_settings()) as url, connect(url) as connection:
        rows = list_clients(connection)
    names = ("client_id", "name", "auth_method", "grant_types", "redirect_uris", "scopes", "trusted_only")
    shown = [
        {**dict(zip(names, row, strict=False)), "created_at": row[7].isoformat(), "disabled": row[8] is not None}
        for row in rows
    ]
    if as_json:
        typer.echo(json.dumps(shown))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("client", "name", "proves itself by", "scopes", "state", box=None, pad_edge=False)
    for one in shown:
        state = "disabled" if one["disabled"] else "enabled"
        table.add_row(one["client_id"], one["name"], one["auth_method"], " ".join(one["scopes"]), state)
    Console(soft_wrap=True).print(table)


@client.command("update")
def update_a_client(
    client_id: Which,
    *,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    scope: Annotated[list[Scope] | None, typer.Option(help="All that it may do; repeat for several.")] = None,
    redirect_uri: Annotated[list[str] | None, typer.Option(help="All its redirect addresses; repeatable.")] = None,
    trusted_only: Annotated[
        bool | None,
        typer.Option("--trusted-only/--any-document", help="Whether it may run trusted documents only."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is registered of a client; what isn't named stays."""
    from cdp.access.managing_clients import ClientChange

    change = ClientChange(name=name, scopes=scope, redirect_uris=redirect_uris(redirect_uri), trusted_only=trusted_only)
    _done(client_id, "updated", lambda desk: desk.update(client_id, change), as_json=as_json)


@client.command("rotate")
def rotate_a_secret(client_id: Which, *, as_json: AsJson = False) -> None:
    """Give a client a new secret and print it; the old one is refused at once."""
    made = _act(lambda desk: desk.rotate_secret(client_id))
    told = {"client_id": made.client_id, "client_secret": made.client_secret}
    typer.echo(json.dumps(told) if as_json else "\n".join(f"{name}: {value}" for name, value in told.items()))


@client.command("keys")
def register_keys(
    client_id: Which,
    file: Annotated[Path, typer.Argument(help="Public keys: PEM, a JWK or a JWK Set.", exists=True, dir_okay=False)],
    *,
    as_json: AsJson = False,
) -> None:
    """Have a client sign with a key of its own (private_key_jwt) in place of telling a secret."""
    text = file.read_text(encoding="utf-8")
    _done(client_id, "signs", lambda desk: desk.register_keys(client_id, text), as_json=as_json)


@client.command("disable")
def disable_a_client(client_id: Which, *, as_json: AsJson = False) -> None:
    """Refuse a client and, within seconds, every token it has."""
    _done(client_id, "disabled", lambda desk: desk.disable(client_id), as_json=as_json)


@client.command("enable")
def enable_a_client(client_id: Which, *, as_json: AsJson = False) -> None:
    """Let a disabled client in again."""
    _done(client_id, "enabled", lambda desk: desk.enable(client_id), as_json=as_json)


@client.command("sign-out")
def sign_out_a_client(client_id: Which, *, as_json: AsJson = False) -> None:
    """Refuse, within seconds, every token that a client has by now; it may ask for new ones."""
    _done(client_id, "signed out", lambda desk: desk.sign_out(client_id), as_json=as_json)


def redirect_uris(given: list[str] | None) -> list[str] | None:
    """None, and so unchanged, where none was named."""
    return given or None


def _act(act: Any) -> Any:
    from cdp.access.audit import OPERATOR
    from cdp.access.managing_clients import ClientDesk
    from cdp.cli.mistakes import done
    from cdp.db.engine import connect

    with database(load_settings()) as url, connect(url) as connection:
        return done(act(ClientDesk(connection, OPERATOR)))


def _done(client_id: str, what: str, act: Any, *, as_json: bool) -> None:
    _act(act)
    typer.echo(json.dumps({"client_id": client_id, "done": what}) if as_json else f"{client_id}: {what}")
