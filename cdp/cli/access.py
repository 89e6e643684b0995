"""`cdp source create`, `cdp client create`, `cdp member invite`: who may send, ask and sign in. Secrets are shown once."""

from collections.abc import Mapping
from typing import Annotated

import typer

from cdp.access.viewer import Role, Scope
from cdp.cli.database import database
from cdp.settings import load_settings

commands = typer.Typer()
source = typer.Typer(help="Systems that tell us something: the web shop, the ERP, a store.")
client = typer.Typer(help="OAuth clients: tools and integrators.")
member = typer.Typer(help="People who sign in to the extranet.")
commands.add_typer(source, name="source")
commands.add_typer(client, name="client")
commands.add_typer(member, name="member")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@source.command("create")
def create_a_source(
    name: Annotated[str, typer.Argument(help="Unique name, e.g. web-shop.")],
    *,
    channel: Annotated[str, typer.Option(help="web, app, store, phone, email, visit, erp or crm.")] = "web",
    division: Annotated[str | None, typer.Option(help="Part of the company it belongs to.")] = None,
    location: Annotated[str | None, typer.Option(help="Where it stands.")] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="Origin whose pages may post, e.g. https://shop.example; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Register a source and print its write key."""
    from cdp.db.engine import connect
    from cdp.ingest.sources import create_source

    with database(load_settings()) as url, connect(url) as connection:
        made = create_source(
            connection,
            name,
            channel=channel,
            division=division,
            location=location,
            allowed_origins=tuple(origin or ()),
        )
    _tell({"name": name, "write_key": made.write_key}, as_json=as_json)


@client.command("create")
def create_a_client(
    name: Annotated[str, typer.Argument(help="What it is called, e.g. call-centre desktop.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; repeat for several.")],
    redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Where staff are sent back to, to let it act for them; repeatable.")
    ] = None,
    trusted_only: Annotated[
        bool,
        typer.Option("--trusted-only", help="Of the graph it may run the documents in CDP_TRUSTED_DOCUMENTS only."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Register an OAuth client and print its id and secret."""
    from cdp.access.audit import OPERATOR
    from cdp.access.managing_clients import ClientDesk
    from cdp.cli.mistakes import done
    from cdp.db.engine import connect

    with database(load_settings()) as url, connect(url) as connection:
        desk = ClientDesk(connection, OPERATOR)
        made = done(desk.create(name=name, scopes=scope, redirect_uris=redirect_uri or (), trusted_only=trusted_only))
    told = {"client_id": made.client_id, "client_secret": made.client_secret, "scopes": list(made.scopes)}
    _tell(told, as_json=as_json)


@member.command("invite")
def invite_a_member(
    email: Annotated[str, typer.Argument(help="Whom the invitation is for.")],
    account: Annotated[str, typer.Option(help="Number of the account.", metavar="NO")],
    role: Annotated[Role, typer.Option(help="What they may see there.")],
    site: Annotated[
        list[str] | None, typer.Option(help="Site whose orders they will see, and no others; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print a link that lets somebody into an account: once, within 72 hours."""
    from cdp.access.audit import OPERATOR
    from cdp.access.managing_members import MemberDesk
    from cdp.access.people import account_by_number
    from cdp.cli.mistakes import done
    from cdp.db.engine import connect
    from cdp.settings import SettingsError

    settings = load_settings()
    if not settings.issuer_is_embedded:
        raise SettingsError(variable="CDP_OIDC_ISSUER", problem="is set: people are invited at that issuer.")
    with database(settings) as url, connect(url) as connection:
        account_id = account_by_number(connection, account)
        desk = MemberDesk(connection, OPERATOR)
        made = done(desk.invite(email=email, account_id=account_id, role=role, sites=site or None))
    _tell({"link": f"{settings.issuer}/invite/{made.secret}", "email": email, "expires_hours": 72}, as_json=as_json)


def _tell(told: Mapping[str, object], *, as_json: bool) -> None:
    import json

    if as_json:
        typer.echo(json.dumps(told))
        return
    for name, value in told.items():
        typer.echo(f"{name}: {' '.join(value) if isinstance(value, list) else value}")
