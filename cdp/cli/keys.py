"""`cdp keys list`, `cdp keys rotate`, `cdp keys withdraw`: the keys that the embedded issuer signs with."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cdp.cli.database import database
from cdp.settings import Settings, SettingsError, load_settings

commands = typer.Typer()
keys = typer.Typer(help="Keys that the embedded issuer signs tokens with.")
commands.add_typer(keys, name="keys")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@keys.command("list")
def list_the_keys(*, as_json: AsJson = False) -> None:
    """Every key there was: which signs, which are published, and which are over."""
    from cdp.access.issuer.rotation import list_keys
    from cdp.db.engine import connect

    with database(_embedded(load_settings())) as url, connect(url) as connection:
        told = [_told(key) for key in list_keys(connection)]
    if as_json:
        import json

        typer.echo(json.dumps(told))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("key", "state", "made", "signs from", "until", box=None, pad_edge=False)
    for key in told:
        table.add_row(key["kid"], key["state"], key["created_at"], key["signs_from"], key["until"] or "")
    Console(soft_wrap=True).print(table)


@keys.command("rotate")
def rotate_the_keys(
    *,
    at_once: Annotated[
        bool,
        typer.Option("--at-once", help="Let the new key sign now. Who keeps our keys may not know it for a moment."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a new signing key. It signs in two minutes; the old one verifies until what it signed has expired."""
    from cdp.access.audit import OPERATOR
    from cdp.access.issuer.rotation import rotate_keys
    from cdp.db.engine import connect

    settings = _embedded(load_settings())
    with database(settings) as url, connect(url) as connection:
        made = _told(rotate_keys(connection, settings, at_once=at_once, actor=OPERATOR))
    _say(made, f"{made['kid']} signs from {made['signs_from']}.", as_json=as_json)


@keys.command("withdraw")
def withdraw_a_key(
    kid: Annotated[str, typer.Argument(help="The key, as `cdp keys list` names it.")], *, as_json: AsJson = False
) -> None:
    """Believe nothing more that a key signed, within seconds: for a key that got out. People and tools sign in again."""
    from cdp.access.audit import OPERATOR
    from cdp.access.issuer.rotation import withdraw_key
    from cdp.db.engine import connect

    settings = _embedded(load_settings())
    with database(settings) as url, connect(url) as connection:
        withdraw_key(connection, settings, kid, actor=OPERATOR)
    _say({"kid": kid, "state": "withdrawn"}, f"{kid} is withdrawn.", as_json=as_json)


def _told(key: Any) -> dict[str, Any]:
    over = key.withdrawn_at or key.retired_at
    return {
        "kid": key.kid,
        "state": key.state,
        "created_at": key.created_at.isoformat(timespec="seconds"),
        "signs_from": key.signs_from.isoformat(timespec="seconds"),
        "until": over.isoformat(timespec="seconds") if over else None,
    }


def _say(told: Mapping[str, object], sentence: str, *, as_json: bool) -> None:
    import json

    typer.echo(json.dumps(told) if as_json else sentence)


def _embedded(settings: Settings) -> Settings:
    if not settings.issuer_is_embedded:
        raise SettingsError(variable="CDP_OIDC_ISSUER", problem="is set: that issuer looks after its own keys.")
    return settings
