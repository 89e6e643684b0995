"""`cdp review …`: the queue of what identity leaves for people to decide. The record says that it was the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn
from uuid import UUID

import typer

from cdp.cli.database import database
from cdp.settings import load_settings

if TYPE_CHECKING:
    from psycopg import Connection

    from cdp.identify.reviewing import Review

commands = typer.Typer()
review = typer.Typer(help="What identity leaves for people to decide: list, show, accept, refuse, assign.")
commands.add_typer(review, name="review")

EXIT_MISTAKE: Final = 1
MOST_LISTED: Final = 1_000
ACTOR: Final = "command line"


class Kind(StrEnum):
    """What there is to decide."""

    SHARED = "shared"
    QUARANTINE = "quarantine"
    REFUSAL = "refusal"
    MATCH = "match"


class State(StrEnum):
    """Whether it was decided."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"


Id = Annotated[str, typer.Argument(help="The review, rev_…, as `cdp review list` shows it.", metavar="ID")]
Why = Annotated[str | None, typer.Option(help="Why, for the ledger.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@review.command("list")
def list_reviews(
    *,
    kind: Annotated[list[Kind] | None, typer.Option(help="Only of this kind; repeatable.")] = None,
    state: Annotated[State, typer.Option(help="Whether it was decided.")] = State.OPEN,
    assigned_to: Annotated[str | None, typer.Option(help="Only what this person looks at.", metavar="EMAIL")] = None,
    after: Annotated[str | None, typer.Option(help="Go on after this review.", metavar="ID")] = None,
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=MOST_LISTED)] = 20,
    as_json: AsJson = False,
) -> None:
    """List what waits, longest waiting first."""
    import json

    from cdp.identify.reviewing import listed, staff_by_email, waiting

    with _connected() as connection:
        staff_id = None
        if assigned_to is not None:
            staff_id = staff_by_email(connection, assigned_to)
            if staff_id is None:
                _fail("There is nobody of the staff with this address.")
        found = listed(
            connection,
            states=[state.value],
            kinds=[one.value for one in kind or Kind],
            assigned_staff_id=staff_id,
            after=None if after is None else _read(after),
            most=limit + 1,
        )
        counts = waiting(connection)
        names = _names(connection, found)
    is_more, found = len(found) > limit, found[:limit]
    if as_json:
        told = {"reviews": [_told(one, names) for one in found], "waiting": counts, "more": is_more}
        typer.echo(json.dumps(told, default=str))
        return
    if not found:
        typer.echo("Nothing waits for anybody." if state is State.OPEN and not counts else "Nothing of that.")
        return
    _table(found, names)
    if is_more:
        typer.echo(f"More: cdp review list --after rev_{found[-1].review_id.hex}")


@review.command()
def show(review_id: Id, as_json: AsJson = False) -> None:
    """Show one review with all that is known of it."""
    import json

    from rich.console import Console

    from cdp.errors import Mistake
    from cdp.identify.reviewing import review_of

    with _connected() as connection:
        found = review_of(connection, _read(review_id))
        if isinstance(found, Mistake):
            _fail(found.message)
        told = _told(found, _names(connection, [found]))
    if as_json:
        typer.echo(json.dumps(told, default=str))
        return
    console = Console()
    for name, value in told.items():
        if value not in (None, [], {}):
            shown = json.dumps(value, default=str, indent=2) if isinstance(value, dict | list) else value
            console.print(f"{name}: {shown}", markup=False, highlight=False, soft_wrap=True)


@review.command()
def accept(review_id: Id, reason: Why = None, as_json: AsJson = False) -> None:
    """Say that it is right: the two are one customer, the value is shared, the customer may grow."""
    from cdp.identify.reviewing import accept as accept_review

    _decide(accept_review, review_id, reason, as_json=as_json)


@review.command()
def refuse(review_id: Id, reason: Why = None, as_json: AsJson = False) -> None:
    """Say that it is wrong, for good: the two never are, the value isn't shared, the customer stays as it is."""
    from cdp.identify.reviewing import refuse as refuse_review

    _decide(refuse_review, review_id, reason, as_json=as_json)


@review.command()
def assign(
    review_id: Id,
    email: Annotated[str | None, typer.Argument(help="Somebody of the staff; without it nobody in particular.")] = None,
    as_json: AsJson = False,
) -> None:
    """Hand it to somebody of the staff, or take it from them."""
    from cdp.identify.reviewing import assign as assign_review

    with _connected() as connection:
        _tell(connection, assign_review(connection, _read(review_id), email), as_json=as_json)


def _decide(verb: Any, review_id: str, reason: str | None, *, as_json: bool) -> None:
    from cdp.identify import Author

    with _connected() as connection:
        outcome = verb(connection, _read(review_id), author=Author(actor=ACTOR, reason=reason))
        _tell(connection, outcome, as_json=as_json)


def _tell(connection: "Connection[Any]", outcome: Any, *, as_json: bool) -> None:
    import json

    from cdp.errors import Mistake

    if isinstance(outcome, Mistake):
        _fail(outcome.message)
    told = _told(outcome, _names(connection, [outcome]))
    if as_json:
        typer.echo(json.dumps(told, default=str))
        return
    typer.echo(f"{told['id']}: {told['state']}" + (f", {told['assignee']}" if told["assignee"] else ""))
    if told["merge"]:
        typer.echo(f"Merged; customerUnmerge undoes it: {told['merge']}")


@contextmanager
def _connected() -> "Iterator[Connection[Any]]":
    """One transaction, as the application."""
    from cdp.db.engine import connect

    with database(load_settings()) as url, connect(url, "cdp_app") as connection:
        yield connection


def _fail(message: str) -> NoReturn:
    typer.echo(f"cdp: {message}", err=True)
    raise typer.Exit(EXIT_MISTAKE)


def _read(text: str) -> UUID:
    from cdp.db.ids import parse_id

    found = parse_id(text, "rev")
    if found is None:
        _fail("A review's id looks like rev_0123456789abcdef0123456789abcdef.")
    return found


def _names(connection: "Connection[Any]", reviews: list["Review"]) -> dict[UUID, str]:
    """Names of customers and staff by their ids, as they are by now."""
    from cdp.identify.reviewing import names_of

    return names_of(connection, reviews)


def _told(one: "Review", names: dict[UUID, str]) -> dict[str, Any]:
    return {
        "id": f"rev_{one.review_id.hex}",
        "kind": one.kind,
        "state": one.state,
        "namespace": one.identifier.namespace if one.identifier else None,
        "value": one.identifier.value if one.identifier else None,
        "customers": [{"id": f"cus_{each.hex}", "name": names.get(each)} for each in one.customer_ids],
        "weight": one.weight,
        "explanation": one.explanation,
        "found_at": one.found_at,
        "assignee": names.get(one.assigned_staff_id) if one.assigned_staff_id else None,
        "decided_at": one.decided_at,
        "decided_by": one.decided_by,
        "reason": one.reason,
        "merge": f"mrg_{one.merge_id.hex}" if one.merge_id else None,
    }


def _table(found: list["Review"], names: dict[UUID, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("id", "kind", "about", "found", "assigned to"):
        table.add_column(name, no_wrap=name == "id", overflow="fold")
    for one in found:
        about = [f"{one.identifier.namespace} {one.identifier.value}"] if one.identifier else []
        about += [names.get(each) or f"cus_{each.hex}" for each in one.customer_ids]
        if one.weight is not None:
            about.append(f"weight {one.weight:.1f}")
        table.add_row(
            f"rev_{one.review_id.hex}",
            one.kind,
            ", ".join(about),
            one.found_at.strftime("%Y-%m-%d %H:%M"),
            names.get(one.assigned_staff_id, "") if one.assigned_staff_id else "",
        )
    Console(markup=False, highlight=False).print(table)
