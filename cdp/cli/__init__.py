"""The command line, `cdp`: one module a group of commands, each offering `commands`, all gathered here.

A group imports what it runs inside its commands, so that `cdp --help` answers at once.
"""

import importlib
import pkgutil
import sys
from importlib.metadata import version

import psycopg
import typer
from rich.console import Console

from cdp.errors import CdpError
from cdp.settings import SettingsError

app = typer.Typer(
    name="cdp",
    help="One customer graph: every contact with a customer, wherever it happens, and who it was.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

for _module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
    _group = importlib.import_module(f"{__name__}.{_module.name}")
    app.add_typer(_group.commands)

EXIT_FAILED = 1
EXIT_MISCONFIGURED = 2


def main() -> None:
    """Run the command line; an error of ours or of the database is one line and an exit status, never a stack trace."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        app()
    except CdpError as error:
        console.print(f"cdp: {error.message}", markup=False)
        sys.exit(EXIT_MISCONFIGURED if isinstance(error, SettingsError) else EXIT_FAILED)
    except psycopg.OperationalError as error:
        first_line = str(error).strip().splitlines()[0]
        console.print(f"cdp: the database does not answer: {first_line}", markup=False)
        sys.exit(EXIT_FAILED)


@app.callback(invoke_without_command=True)
def _options(*, show_version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if show_version:
        typer.echo(version("customer-graph"))
        raise typer.Exit
