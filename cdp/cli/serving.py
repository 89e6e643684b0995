"""`cdp serve`, `cdp extranet`, `cdp work`: the three processes of production."""

import os
from typing import Annotated

import typer

from cdp.cli.database import database
from cdp.settings import Settings, SettingsError, load_settings

commands = typer.Typer()

Host = Annotated[str, typer.Option(help="Address to listen on; the default is this machine only.")]
Workers = Annotated[int, typer.Option(min=1, help="Server processes.")]


@commands.command()
def serve(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    workers: Workers = 1,
    worker: Annotated[
        bool | None,
        typer.Option("--worker/--no-worker", help="Run the background worker inside; default: outside production."),
    ] = None,
) -> None:
    """Serve the API: GraphQL, tracking, import, change feed, embedded issuer."""
    from cdp.server import serve as run
    from cdp.server import server_config

    settings = _start()
    inside = worker if worker is not None else not settings.is_production and workers == 1
    if inside and workers > 1:
        raise SettingsError(variable="--worker", problem="needs --workers 1; run `cdp work` beside several processes.")
    with database(settings) as url:
        os.environ["CDP_DATABASE_URL"] = url
        config = server_config("cdp.app:app", settings, host=host, port=port, workers=workers)
        run(config, load_settings(), work_inside=inside)


@commands.command()
def extranet(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8001,
    workers: Workers = 1,
) -> None:
    """Serve the extranet for key accounts, as the database role that sees one account at a time."""
    from cdp.server import serve as run
    from cdp.server import server_config

    settings = _start()
    with database(settings, role="cdp_portal") as url:
        os.environ["CDP_PORTAL_DATABASE_URL"] = url
        os.environ.pop("CDP_DATABASE_URL", None)
        config = server_config("extranet.app:app", settings, host=host, port=port, workers=workers)
        run(config, load_settings())


@commands.command()
def work() -> None:
    """Run the background worker: stitching, conclusions, deliveries, schedules."""
    from cdp.server import work as run

    settings = _start()
    with database(settings) as url:
        os.environ["CDP_DATABASE_URL"] = url
        run(load_settings())


def _start() -> Settings:
    from cdp.logs import configure

    settings = load_settings()
    configure(settings)
    return settings
