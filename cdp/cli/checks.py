"""`cdp doctor`: is this installation sound, and if not, what to mend."""

import dataclasses
import json
from typing import Annotated, Final

import typer

from cdp.cli.database import database
from cdp.settings import load_settings

commands = typer.Typer()

COLOURS: Final = {"ok": "green", "warn": "yellow", "fail": "red"}


@commands.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array, for programs.")] = False,
) -> None:
    """Check settings, database, migrations, roles, walls, clock and keys. Exit status 1 when a check fails."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from cdp.doctor import examine

    settings = load_settings()
    with database(settings, as_found=True) as url:
        findings = list(examine(settings, url, portal_url=settings.portal_database_url))
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
    else:
        table = Table("check", "", "found", "what to mend", box=None, pad_edge=False)
        for finding in findings:
            state = Text(finding.state, COLOURS[finding.state])
            table.add_row(Text(finding.check), state, Text(finding.told), Text(finding.mend))
        Console().print(table)
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)
