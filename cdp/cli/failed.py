"""`cdp failed list`, `show` and `replay`: messages that were acknowledged and could not be applied."""

import json
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from cdp.cli.access import AsJson
from cdp.cli.database import database
from cdp.errors import InvalidField
from cdp.settings import load_settings

commands = typer.Typer()
failed = typer.Typer(help="Messages that were acknowledged and could not be applied.")
commands.add_typer(failed, name="failed")

EXIT_FAILED_AGAIN: Final = 1
LARGEST_LIMIT: Final = 1_000

Source = Annotated[str | None, typer.Option(help="Of this source only.", metavar="NAME")]
Stage = Annotated[str | None, typer.Option(help="Of this stage only: decode, identify or project.")]
Code = Annotated[str | None, typer.Option(help="With this code only, e.g. currency_missing.")]


@failed.command("list")
def list_failed(
    *,
    source: Source = None,
    stage: Stage = None,
    code: Code = None,
    limit: Annotated[int, typer.Option(help="Messages shown.", min=1, max=LARGEST_LIMIT)] = 50,
    after: Annotated[str | None, typer.Option(help="Go on after a page: its `next`.", metavar="NEXT")] = None,
    as_json: AsJson = False,
) -> None:
    """Count failed messages by source, stage and code, and show the latest."""
    from cdp.db.engine import connect
    from cdp.events.failures import Which, count_failures, list_failures

    which = Which(source=source, stage=_stage(stage), code=code)
    with database(load_settings()) as url, connect(url) as connection:
        counts = count_failures(connection, which)
        found = list_failures(connection, which, most=limit, after=_read_place(after))
    following = _place(found[-1]) if len(found) == limit else None
    if as_json:
        told = {
            "total": sum(one.count for one in counts),
            "counts": [
                {"source": one.source, "stage": one.stage, "code": one.code, "count": one.count} for one in counts
            ],
            "failed": [_shown(one) for one in found],
            "next": following,
        }
        typer.echo(json.dumps(told))
        return
    if not counts:
        typer.echo("No message has failed.")
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True)
    summary = Table("failed", "source", "stage", "code", "last", box=None, pad_edge=False)
    for one in counts:
        summary.add_row(f"{one.count:,}", one.source, one.stage, one.code, _minute(one.last_at))
    table = Table("source", "message", "stage", "code", "attempts", "received", box=None, pad_edge=False)
    for each in found:
        row = (each.source, each.message_id, each.stage, each.code, str(each.attempts), _minute(each.received_at))
        table.add_row(*row)
    console.print(summary, "", table)
    if following:
        typer.echo(f"\nMore: --after {following}")


@failed.command("show")
def show_failed(
    source: Annotated[str, typer.Argument(help="The source's name.")],
    message_id: Annotated[str, typer.Argument(help="The message's id.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one failed message: why it failed, and what was sent. That is personal data."""
    from cdp.db.engine import connect
    from cdp.events.failures import find_failure

    with database(load_settings()) as url, connect(url) as connection:
        found = find_failure(connection, source, message_id)
    body = json.loads(found.body or "null")
    if as_json:
        typer.echo(json.dumps({**_shown(found), "body": body}))
        return
    for name, value in _shown(found).items():
        typer.echo(f"{name}: {value}")
    typer.echo(json.dumps(body, indent=2, ensure_ascii=False))


@failed.command("replay")
def replay_failed_messages(
    *,
    source: Source = None,
    stage: Stage = None,
    code: Code = None,
    message_id: Annotated[str | None, typer.Option(help="The message of this id only.", metavar="ID")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell failed messages again, after what was wrong is mended; exit status 1 when some fail again. Nothing is doubled."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from cdp.access.audit import OPERATOR, record
    from cdp.db.engine import connect
    from cdp.events.failures import Which
    from cdp.ingest.replaying import Replayed, count_of, replay_failed
    from cdp.logs import configure

    settings = load_settings()
    configure(settings)
    which = Which(source=source, stage=_stage(stage), code=code, message_id=message_id)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        database(settings) as url,
        connect(url, "cdp_app", autocommit=True) as connection,
        Progress(*columns, console=Console(stderr=True), disable=as_json) as progress,
    ):
        task = progress.add_task("Replaying", total=count_of(connection, which))

        def tell(so_far: Replayed) -> None:
            progress.update(task, completed=so_far.done + so_far.failed)

        outcome = replay_failed(connection, which, tell)
        asked = {name: value for name, value in which.given().items() if value is not None}
        record(connection, OPERATOR.did("failed_messages_replayed", **asked, replayed=outcome.replayed))
    if as_json:
        typer.echo(json.dumps({"replayed": outcome.replayed, "done": outcome.done, "failed": outcome.failed}))
    else:
        typer.echo(f"{outcome.replayed} told again: {outcome.done} done, {outcome.failed} failed again.")
    if outcome.failed:
        raise typer.Exit(EXIT_FAILED_AGAIN)


def _stage(stage: str | None) -> str | None:
    from cdp.events.failures import STAGES

    if stage is not None and stage not in STAGES:
        raise typer.BadParameter(f"there are {', '.join(STAGES)}.", param_hint="--stage")
    return stage


def _shown(one: Any) -> dict[str, Any]:
    return {
        "source": one.source,
        "message_id": one.message_id,
        "stage": one.stage,
        "code": one.code,
        "error": one.error,
        "attempts": one.attempts,
        "received_at": one.received_at.isoformat(),
        "failed_at": one.failed_at.isoformat(),
    }


def _place(one: Any) -> str:
    return f"{one.failed_at.isoformat()}/{one.source_id.hex}/{one.message_id}"


def _read_place(text: str | None) -> tuple[datetime, UUID, str] | None:
    if text is None:
        return None
    try:
        at, source_id, message_id = text.split("/", 2)
        return datetime.fromisoformat(at), UUID(hex=source_id), message_id
    except ValueError:
        raise InvalidField(field="--after", problem="must be the `next` of a page before.") from None


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
