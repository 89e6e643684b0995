"""`cdp schema`: the GraphQL contract as text."""

from pathlib import Path
from typing import Annotated

import typer

commands = typer.Typer()


@commands.command()
def schema(
    write: Annotated[Path | None, typer.Option(help="Write it to this file instead.", metavar="FILE")] = None,
) -> None:
    """Print the GraphQL schema in its definition language."""
    from cdp.schema import print_contract

    text = print_contract().rstrip("\n") + "\n"
    if write is None:
        typer.echo(text, nl=False)
    else:
        write.write_text(text, encoding="utf-8")
