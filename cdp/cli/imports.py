"""`cdp import KIND FILE…`: files of records straight into the database, by the same pipeline as the API.

Beside each FILE: `FILE.rejected.ndjson`, a line for each rejection, and `FILE.progress`, where a killed import goes on.
"""

from pathlib import Path
from typing import Annotated, Final

import typer

from cdp.cli.database import database
from cdp.settings import load_settings

commands = typer.Typer()

EXIT_REJECTED: Final = 1


@commands.command("import")
def import_files(
    kind: Annotated[
        str, typer.Argument(help="customers, accounts, orders, shipments, ledger or interactions.", metavar="KIND")
    ],
    files: Annotated[
        list[Path], typer.Argument(help=".csv, or .ndjson / .jsonl.", metavar="FILE…", exists=True, dir_okay=False)
    ],
    source: Annotated[str, typer.Option(help="The source whose records these are.")],
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin anew where an import was killed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and no progress.")] = False,
) -> None:
    """Import files of records; exit status 1 when lines were rejected. A killed import goes on where it stopped."""
    import json

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    from cdp.db.engine import connect
    from cdp.ingest.files import import_file
    from cdp.ingest.importing import ImportCount, find_source, import_kind
    from cdp.logs import configure

    settings = load_settings()
    configure(settings)
    known_kind = import_kind(kind)
    told: dict[str, dict[str, object]] = {}
    counts = TextColumn("{task.fields[records]:,} records, {task.fields[rejected]:,} rejected")
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), counts, TimeRemainingColumn())
    with (
        database(settings) as url,
        connect(url, "cdp_app", autocommit=True) as connection,
        Progress(*columns, console=Console(stderr=True), disable=as_json) as progress,
    ):
        known_source = find_source(connection, source)
        for file in files:
            task = progress.add_task(file.name, total=file.stat().st_size, records=0, rejected=0)

            def tell(end: int, so_far: ImportCount, task: TaskID = task) -> None:
                records = so_far.accepted + so_far.rejected
                progress.update(task, completed=end, records=records, rejected=so_far.rejected)

            count = import_file(
                connection,
                known_source,
                known_kind,
                file,
                from_start=from_start,
                tell=tell,
            )
            told[str(file)] = {
                "accepted": count.accepted,
                "unchanged": count.unchanged,
                "rejected": count.rejected,
                "rejected_file": f"{file}.rejected.ndjson" if count.rejected else None,
            }
    if as_json:
        typer.echo(json.dumps({"kind": kind, "source": source, "files": told}))
    else:
        for name, one in told.items():
            line = f"{name}: {one['accepted']} accepted ({one['unchanged']} known already), {one['rejected']} rejected"
            typer.echo(f"{line}, see {one['rejected_file']}" if one["rejected"] else line)
    if any(one["rejected"] for one in told.values()):
        raise typer.Exit(EXIT_REJECTED)
