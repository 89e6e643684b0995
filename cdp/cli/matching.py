"""`cdp match`: records that are probably one customer, though no key says so; of any CSV files, or of the database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cdp.cli.database import database
from cdp.settings import load_settings

if TYPE_CHECKING:
    from cdp.identify.matching.running import Options

commands = typer.Typer()

KINDS: Final = ("person", "organisation")
ENGINES: Final = ("duckdb", "spark")

_FILES: Final = "With --input"
_DATABASE: Final = "Without --input: the customers of the database"


@commands.command("match")
def match(
    *,
    kind: Annotated[str, typer.Option(help="person or organisation.")] = "person",
    engine: Annotated[str, typer.Option(help="duckdb, in this process; or spark.")] = "duckdb",
    upper: Annotated[float | None, typer.Option(help="Weight from which a pair is a match; default 10.")] = None,
    lower: Annotated[float | None, typer.Option(help="Weight from which a person should look; default 0.")] = None,
    summary: Annotated[
        Path | None,
        typer.Option(help="Where the summary goes (HTML); default with --input: beside the pairs.", dir_okay=False),
    ] = None,
    work_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where intermediate files go; with a Spark cluster a folder that its workers share.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and no progress.")] = False,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--input",
            help="A CSV file of records; may be given several times.",
            exists=True,
            dir_okay=False,
            rich_help_panel=_FILES,
        ),
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(help="The column with each record's id.", rich_help_panel=_FILES)
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="Which column tells a field; those with a usual name are found without.",
            metavar="FIELD=COLUMN",
            rich_help_panel=_FILES,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where the pairs go (CSV).", dir_okay=False, rich_help_panel=_FILES)
    ] = None,
    clusters: Annotated[
        Path | None,
        typer.Option(
            help="Where each record's cluster goes (CSV): records of a cluster are one customer.",
            dir_okay=False,
            rich_help_panel=_FILES,
        ),
    ] = None,
    across: Annotated[
        bool, typer.Option("--across", help="Only pairs of records from different files.", rich_help_panel=_FILES)
    ] = False,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge",
            help="Merge the pairs from the upper threshold on; else they are listed.",
            rich_help_panel=_DATABASE,
        ),
    ] = False,
) -> None:
    """Find records that are probably one customer. Needs the extra `match`; --engine spark the extra `spark`.

    With --input, writes pairs with their weight and why, and needs no database. Without, compares the database's customers and
    lists pairs for review (`cdp review`).
    """
    import json

    from cdp.identify.matching.running import LOWER, UPPER, Options

    if kind not in KINDS:
        raise typer.BadParameter("person or organisation", param_hint="--kind")
    if engine not in ENGINES:
        raise typer.BadParameter("duckdb or spark", param_hint="--engine")
    options = Options(
        kind="person" if kind == "person" else "organisation",
        engine="spark" if engine == "spark" else "duckdb",
        upper=UPPER if upper is None else upper,
        lower=LOWER if lower is None else lower,
        across=across,
        folder=work_dir,
    )
    if inputs:
        if id_column is None or output is None:
            missing = "--id-column" if id_column is None else "--output"
            raise typer.BadParameter("is needed with --input", param_hint=missing)
        if merge:
            raise typer.BadParameter("merges customers of the database; files stay as they are", param_hint="--merge")
        told = _match_files(
            inputs=inputs,
            id_column=id_column,
            columns=columns or [],
            output=output,
            clusters=clusters,
            summary=summary or output.with_suffix(".html"),
            options=options,
            quiet=as_json,
        )
    else:
        given = {
            "--id-column": id_column,
            "--map": columns,
            "--output": output,
            "--clusters": clusters,
            "--across": across,
        }
        for name, value in given.items():
            if value:
                raise typer.BadParameter("is for files: give --input too", param_hint=name)
        told = _match_customers(merge, summary, options, as_json)
    if as_json:
        typer.echo(json.dumps(told))
    else:
        _show(told)


def _match_files(
    *,
    inputs: list[Path],
    id_column: str,
    columns: list[str],
    output: Path,
    clusters: Path | None,
    summary: Path,
    options: "Options",
    quiet: bool,
) -> dict[str, Any]:
    from datetime import UTC, datetime

    from cdp.identify.matching.files import match_files
    from cdp.identify.matching.summary import write_summary

    given = {}
    for one in columns:
        field, separator, column = one.partition("=")
        if not separator or not field or not column:
            raise typer.BadParameter(f"{one} is not FIELD=COLUMN", param_hint="--map")
        given[field.strip()] = column.strip()
    with _steps(quiet=quiet) as tell:
        found = match_files(
            inputs, id_column=id_column, given=given, pairs=output, clusters=clusters, options=options, tell=tell
        )
    title = ", ".join(one.path.name for one in found.inputs)
    figures = {"clusters": found.clusters}
    write_summary(summary, found.run, title=title, figures=figures, inputs=found.inputs, at=datetime.now(UTC))
    return {
        "records": found.run.prepared.records,
        "matches": found.run.matches,
        "to_review": found.run.reviews,
        "clusters": found.clusters,
        "columns": {one.path.name: dict(one.columns) for one in found.inputs},
        "unused_columns": {one.path.name: list(one.unused) for one in found.inputs},
        "pairs_file": str(output),
        "clusters_file": str(clusters) if clusters else None,
        "summary_file": str(summary),
    }


def _match_customers(merge: bool, summary: Path | None, options: "Options", quiet: bool) -> dict[str, Any]:
    from datetime import UTC, datetime

    from cdp.db.engine import connect
    from cdp.identify.matching.customers import match_customers
    from cdp.identify.matching.summary import write_summary
    from cdp.logs import configure

    settings = load_settings()
    configure(settings)
    with (
        database(settings) as url,
        connect(url, "cdp_app", autocommit=True) as connection,
        _steps(quiet=quiet) as tell,
    ):
        found = match_customers(connection, merges=merge, options=options, tell=tell)
    figures = {"merged": found.merged, "listed for the first time": found.listed}
    if summary is not None:
        title = "Persons" if options.kind == "person" else "Organisations"
        write_summary(summary, found.run, title=title, figures=figures, inputs=(), at=datetime.now(UTC))
    return {
        "records": found.run.prepared.records,
        "matches": found.run.matches,
        "to_review": found.run.reviews,
        "merged": found.merged,
        "kept_apart": found.kept_apart,
        "listed": found.listed,
        "summary_file": str(summary) if summary else None,
    }


@contextmanager
def _steps(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """What is being done and for how long, on the terminal; each step stays on it with its time."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        current: list[TaskID] = []

        def end() -> None:
            if current:
                progress.update(current.pop(), total=1, completed=1)

        def tell(step: str) -> None:
            end()
            current.append(progress.add_task(step, total=None))

        yield tell
        end()


_SHOWN: Final = {
    "records": "records",
    "matches": "matches",
    "to_review": "pairs to review",
    "clusters": "clusters",
    "merged": "pairs merged",
    "kept_apart": "pairs kept apart by the rules of identity or by somebody's decision",
    "listed": "pairs listed for the first time: see `cdp review`",
}


def _show(told: dict[str, Any]) -> None:
    for name, words in _SHOWN.items():
        if told.get(name) is not None:
            typer.echo(f"{told[name]:>12,} {words}")
    for file, columns in told.get("unused_columns", {}).items():
        if columns:
            typer.echo(f"{file}: not used: {', '.join(columns)}")
    for name, words in (("pairs_file", "Pairs"), ("clusters_file", "Clusters"), ("summary_file", "Summary")):
        if told.get(name):
            typer.echo(f"{words}: {told[name]}")
