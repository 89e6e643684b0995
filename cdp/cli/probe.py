"""`cdp probe`: what a container's health check asks."""

import http.client
from typing import Annotated
from urllib.parse import urlsplit

import typer

from cdp.settings import load_settings

commands = typer.Typer()

TIMEOUT_SECONDS = 4


@commands.command()
def probe(
    extranet: Annotated[bool, typer.Option(help="Ask the extranet instead of the API.")] = False,
    ready: Annotated[bool, typer.Option(help="Ask /readyz instead of /healthz.")] = False,
    port: Annotated[int | None, typer.Option(help="Default: 8000, the extranet's 8001.")] = None,
) -> None:
    """Ask the server on this machine whether it is alive; exit status 1 when it is not.

    It is asked by its public name, because a server answers to no other.
    """
    settings = load_settings()
    name = urlsplit(settings.extranet_url if extranet else settings.public_url).netloc
    asked = http.client.HTTPConnection("127.0.0.1", port or (8001 if extranet else 8000), timeout=TIMEOUT_SECONDS)
    try:
        asked.request("GET", "/readyz" if ready else "/healthz", headers={"Host": name})
        status = asked.getresponse().status
    except OSError as error:
        typer.echo(f"no answer: {error}", err=True)
        raise typer.Exit(1) from None
    if status != http.client.OK:
        typer.echo(f"status {status}", err=True)
        raise typer.Exit(1)
