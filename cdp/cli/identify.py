"""`cdp identify`: the rules by which customers are told, and whether the customers are what follows from them."""

from pathlib import Path
from typing import Annotated

import typer

from cdp.cli.database import database
from cdp.settings import load_settings

commands = typer.Typer()
identify = typer.Typer(help="Who is who: rules, and resolving everything anew.", no_args_is_help=True)
commands.add_typer(identify, name="identify")


@identify.command()
def rebuild(
    only_check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit status 1 when anything differs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and no progress.")] = False,
) -> None:
    """Resolve all claims anew and put right what differs from it, through the merge ledger. With --check only tell."""
    import json

    from rich.progress import Progress

    from cdp.db.engine import connect
    from cdp.db.ids import format_id
    from cdp.identify import rebuilding
    from cdp.logs import configure

    settings = load_settings()
    configure(settings)
    with (
        database(settings) as url,
        connect(url, "cdp_app", autocommit=True) as connection,
        Progress(disable=as_json, transient=True) as progress,
    ):
        task = progress.add_task("", total=None)
        go_over = rebuilding.check if only_check else rebuilding.rebuild
        found = go_over(
            connection,
            progress=lambda what, done, total: progress.update(task, description=what, completed=done, total=total),
        )
    customers = list(dict.fromkeys(format_id("cus", one.customer_id) for one in found.differences if one.customer_id))
    told = {
        "components": found.components,
        "resolved_one_by_one": found.resolved,
        "differences": found.counts,
        "customers": customers[:100],
        "mended": bool(found.differences) and not only_check,
    }
    if as_json:
        typer.echo(json.dumps(told))
    else:
        typer.echo(f"{found.components:,} groups of claims, {found.resolved:,} of them resolved one by one.")
        for what, count in found.counts.items():
            typer.echo(f"  {what}: {count:,} {'differ' if only_check else 'mended'}")
        for one in customers[:10]:
            typer.echo(f"  {one}")
        if len(customers) > 10:  # noqa: PLR2004 — shown above
            typer.echo(f"  and {len(customers) - 10:,} more customers (--json names 100)")
        if not found.differences:
            typer.echo("The customers are what their claims say.")
    if only_check and found.differences:
        raise typer.Exit(1)


@identify.command()
def rules(
    file: Annotated[
        Path | None, typer.Argument(help="Rules to put in force, TOML.", metavar="[FILE]", exists=True, dir_okay=False)
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="Put the defaults in force again.")] = False,
) -> None:
    """Show the rules that were set, or put those of FILE in force, for every process and at once.

    They count for what comes from now on; `cdp identify rebuild` brings in line what is known already.
    """
    import getpass
    import json
    import tomllib

    from cdp.db.engine import connect
    from cdp.db.locks import hold_customers_exclusive
    from cdp.identify.ruling import UnusableRules, document_in_force, set_rules

    if file is not None and default:
        raise typer.BadParameter("Give a FILE or --default, not both.")
    document = {}
    if file is not None:
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UnusableRules(problem=str(error)) from None
    settings = load_settings()
    with database(settings) as url, connect(url, "cdp_app", autocommit=True) as connection:
        if file is None and not default:
            typer.echo(json.dumps(document_in_force(connection), indent=2))
            return
        with connection.transaction():
            hold_customers_exclusive(connection)
            set_rules(connection, document, actor=f"operator:{getpass.getuser()}")
    typer.echo("The rules are in force. Bring in line what is known already with: cdp identify rebuild")
