"""`cdp demo`: a believable business on an embedded PostgreSQL, until Ctrl-C."""

import os
from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer()

REFUSED = ("CDP_DATABASE_URL", "CDP_PORTAL_DATABASE_URL", "CDP_OIDC_ISSUER")

Port = Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")]


@commands.command()
def demo(
    data_dir: Annotated[Path, typer.Option(envvar="CDP_DATA_DIR", help="Where its data stay.")] = Path(".cdp"),
    api_port: Port = 8000,
    extranet_port: Port = 8001,
    customers: Annotated[
        int, typer.Option(min=200, max=200_000, help="People and organisations, of a first start.")
    ] = 2_400,
    as_json: Annotated[bool, typer.Option("--json", help="When ready print demo.json's content as one line.")] = False,
) -> None:
    """Start everything on embedded PostgreSQL with the data of an invented supplier; serve until Ctrl-C."""
    from rich.console import Console

    from cdp.demo.opening import run
    from cdp.settings import SettingsError, load_settings

    if os.environ.get("CDP_ENV") == "production" or load_settings(data_dir=data_dir).is_production:
        raise SettingsError(variable="CDP_ENV", problem="is production; the demo is for one's own machine.")
    for variable in REFUSED:
        if os.environ.get(variable):
            raise SettingsError(variable=variable, problem="is set; the demo brings its own and would not use it.")
    run(
        data_dir,
        api_port=api_port,
        extranet_port=extranet_port,
        customers=customers,
        as_json=as_json,
        console=Console(stderr=as_json, quiet=as_json, highlight=False),
    )
