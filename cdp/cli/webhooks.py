"""`cdp webhook`: whom changes are sent to, how that goes, and sending again. A secret is shown once."""

import enum
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from cdp.cli.database import database
from cdp.errors import Invalid, Mistake
from cdp.settings import load_settings

if TYPE_CHECKING:
    from uuid import UUID

    from cdp.webhooks.endpoints import Desk

T = TypeVar("T")
commands = typer.Typer()
webhook = typer.Typer(help="Addresses that changes are sent to.")
commands.add_typer(webhook, name="webhook")

_LOOK_SECONDS: Final = 0.2

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Endpoint = Annotated[str, typer.Argument(help="The endpoint's id, whe_…", metavar="ENDPOINT")]
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="order.placed, or order.* for all about orders; repeatable.")
]


class WebhookRefused(Invalid):
    """{problem}"""  # noqa: D400 - the problem brings its full stop

    problem: str


class StateFilter(enum.StrEnum):
    """States of deliveries."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@webhook.command("create")
def create_a_webhook(
    url: Annotated[str, typer.Argument(help="Where to: https://…, outside private networks.")],
    *,
    kind: Kinds = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send changes to an address from now on, and print the secret that they are signed with."""
    made = _at_desk(lambda desk: desk.create(url=url, kinds=kind or (), description=description))
    _tell({"id": _typed("whe", made.endpoint_id), "secret": made.secret}, as_json=as_json)


@webhook.command("list")
def list_the_webhooks(*, as_json: AsJson = False) -> None:
    """Show every endpoint and how it fares."""
    from cdp.db.engine import connect
    from cdp.webhooks.listing import list_endpoints

    with database(load_settings()) as url, connect(url) as connection:
        found = [one._asdict() for one in list_endpoints(connection)]
    rows = [{"id": _typed("whe", one.pop("endpoint_id")), **one} for one in found]
    _tell_all(
        rows, ("id", "url", "kinds", "state", "disabled_reason", "failing_since", "delivered_at"), as_json=as_json
    )


@webhook.command("update")
def update_a_webhook(
    endpoint: Endpoint,
    *,
    url: Annotated[str | None, typer.Option(help="Where to from now on.")] = None,
    kind: Kinds = None,
    all_kinds: Annotated[bool, typer.Option("--all-kinds", help="Every kind.")] = False,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    enable: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Changes from now on; or none, and what waits dies.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given, and leave the rest."""
    endpoint_id = _read(endpoint, "whe")
    kinds = [] if all_kinds else kind
    _at_desk(lambda desk: desk.update(endpoint_id, url=url, kinds=kinds, description=description, enabled=enable))
    _tell({"id": endpoint}, as_json=as_json)


@webhook.command("delete")
def delete_a_webhook(endpoint: Endpoint, *, as_json: AsJson = False) -> None:
    """Send nothing there any more."""
    endpoint_id = _read(endpoint, "whe")
    _at_desk(lambda desk: desk.delete(endpoint_id))
    _tell({"deleted": endpoint}, as_json=as_json)


@webhook.command("rotate-secret")
def rotate_a_secret(
    endpoint: Endpoint,
    *,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=720, help="Hours in which the old secret signs beside the new; 0 if it leaked.")
    ] = 24,
    as_json: AsJson = False,
) -> None:
    """Print a new secret; messages carry signatures of the old one too for a while."""
    endpoint_id = _read(endpoint, "whe")
    made = _at_desk(lambda desk: desk.rotate_secret(endpoint_id, overlap_hours=overlap_hours))
    _tell({"id": endpoint, "secret": made.secret, "overlap_hours": overlap_hours}, as_json=as_json)


@webhook.command("deliveries")
def list_the_deliveries(
    endpoint: Endpoint,
    *,
    state: Annotated[StateFilter | None, typer.Option(help="Only those in this state.")] = None,
    most: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what an endpoint got, gets, or didn't, latest change first."""
    from cdp.db.engine import connect
    from cdp.webhooks.listing import list_deliveries

    endpoint_id = _read(endpoint, "whe")
    with database(load_settings()) as url, connect(url) as connection:
        found = [one._asdict() for one in list_deliveries(connection, endpoint_id, state=state, most=most)]
    rows = [{"id": _typed("whd", one.pop("delivery_id")), **one} for one in found]
    _tell_all(rows, ("id", "kind", "occurred_at", "state", "attempts", "last_status", "last_problem"), as_json=as_json)


@webhook.command("replay")
def replay(
    what: Annotated[str, typer.Argument(help="A delivery, whd_…; or an endpoint, whe_…, with --since.", metavar="ID")],
    *,
    since: Annotated[str | None, typer.Option(help="Changes from then on, e.g. 2026-03-01T10:00:00Z.")] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="What arrived too, not only what was missed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send again: one delivery, or what an endpoint missed since an instant. The worker does it."""
    if what.startswith("whd_"):
        delivery_id = _read(what, "whd")
        _at_desk(lambda desk: desk.replay_delivery(delivery_id))
        _tell({"replayed": what}, as_json=as_json)
        return
    endpoint_id = _read(what, "whe")
    if since is None:
        raise WebhookRefused(problem="Say --since when, e.g. --since 2026-03-01T10:00:00Z.")
    try:
        instant = datetime.fromisoformat(since)
    except ValueError:
        raise WebhookRefused(problem="--since looks like 2026-03-01T10:00:00Z.") from None
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    dead = _at_desk(lambda desk: desk.replay(endpoint_id, since=instant, what="everything" if everything else "missed"))
    _tell({"replayed": what, "since": instant.isoformat(), "dead_letters": dead}, as_json=as_json)


@webhook.command("test")
def try_a_webhook(
    endpoint: Endpoint,
    *,
    wait_seconds: Annotated[int, typer.Option("--wait", min=0, max=300, help="Seconds to wait for the answer.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Send a message of the kind webhook.test, and tell how it went. Needs a worker that runs."""
    import time

    from cdp.db.engine import connect
    from cdp.webhooks.listing import delivery_now

    endpoint_id = _read(endpoint, "whe")
    delivery_id = _at_desk(lambda desk: desk.test(endpoint_id, now=datetime.now(UTC)))
    deadline = time.monotonic() + wait_seconds
    with database(load_settings()) as url, connect(url, autocommit=True) as connection:
        state, status, problem = delivery_now(connection, delivery_id)
        while state == "pending" and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            state, status, problem = delivery_now(connection, delivery_id)
    told = {"id": _typed("whd", delivery_id), "state": state, "status": status, "problem": problem}
    _tell({name: value for name, value in told.items() if as_json or value is not None}, as_json=as_json)
    if state == "pending":
        raise WebhookRefused(problem=f"Nobody sent it within {wait_seconds} s; does a worker run (cdp work)?")
    if state != "delivered":
        raise typer.Exit(1)


def _at_desk(act: "Callable[[Desk], T | Mistake]") -> T:
    """What `act` did, committed. Raises WebhookRefused for a mistake."""
    from cdp.access.audit import OPERATOR
    from cdp.db.engine import connect
    from cdp.webhooks.endpoints import Desk

    settings = load_settings()
    with database(settings) as url, connect(url) as connection:
        outcome = act(Desk(connection, settings, actor=OPERATOR))
    if isinstance(outcome, Mistake):
        raise WebhookRefused(problem=outcome.message)
    return outcome


def _typed(prefix: str, value: "UUID") -> str:
    from cdp.db.ids import format_id

    return format_id(prefix, value)


def _read(text: str, prefix: str) -> "UUID":
    from cdp.db.ids import parse_id

    found = parse_id(text, prefix)
    if found is None:
        raise WebhookRefused(problem=f"{text} is no id such as {prefix}_0123456789abcdef0123456789abcdef.")
    return found


def _tell(told: Mapping[str, Any], *, as_json: bool) -> None:
    import json

    if as_json:
        typer.echo(json.dumps(told, default=str))
        return
    for name, value in told.items():
        typer.echo(f"{name}: {value}")


def _tell_all(rows: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    import json

    if as_json:
        typer.echo(json.dumps(rows, default=_plain))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*(name.replace("_", " ") for name in columns), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(_shown(row[name]) for name in columns))
    Console(soft_wrap=True).print(table, markup=False)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(value) or "all"
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else str(value)
