"""Loading: registers sources, clients and members, and lets the business in through the doors.

Every step may be taken again: doors know what they were told, what is registered here is remembered before it counts.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from psycopg import Connection
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cdp.access.people import EmailTaken, create_client, create_member, move_issuer
from cdp.access.viewer import READ_SCOPES, Scope
from cdp.access.viewer import Role as AccountRole
from cdp.db.engine import connect
from cdp.demo.announcing import announce
from cdp.demo.arranging import arrange
from cdp.demo.asking import ask
from cdp.demo.business import Business, Delivery
from cdp.demo.catalogue import SOURCES
from cdp.demo.doors import Doors
from cdp.demo.keeping import Client, Figures, Keeper, Member, Memory, Role, new_password
from cdp.ingest.sources import SourceExists, create_source, rotate_write_key

TOOL: Final = "tool"
INTEGRATOR: Final = "integrator"
CLIENTS: Final = {
    TOOL: ("Customer desktop", READ_SCOPES),
    INTEGRATOR: ("ERP integration", frozenset({Scope.IMPORT_WRITE, Scope.FEED_READ})),
}


def register(keeper: Keeper, memory: Memory, database_url: str) -> None:
    """Sources and OAuth clients that are not registered yet, by the functions behind `cdp source` and `cdp client`."""
    with connect(database_url, autocommit=True) as connection:
        for sheet in SOURCES:
            if sheet.name not in memory.write_keys:
                with connection.transaction():
                    memory.write_keys[sheet.name] = _write_key(connection, sheet.name)
                keeper.remember(memory)
        for name, (title, scopes) in CLIENTS.items():
            if name not in memory.clients:
                with connection.transaction():
                    made = create_client(connection, name=title, scopes=scopes)
                memory.clients[name] = Client(made.client_id, made.client_secret or "", made.scopes)
                keeper.remember(memory)


def load(
    keeper: Keeper, memory: Memory, business: Business, doors: Doors, *, database_url: str, console: Console
) -> Figures:
    """Deliver the whole business and wait until the graph has it; then let the members in."""
    with _bars(console) as progress:
        _deliver(progress, "Customers and accounts", business.master_data(), doors)
        messages = list(business.messages())
        sent = progress.add_task("Visits and purchases", total=len(messages))
        doors.track(messages, lambda count: progress.advance(sent, count))
        _deliver(progress, "Orders, shipments, ledger", business.trade(), doors)
        _deliver(progress, "Calls and visits", business.calls(), doors)
        stitched = progress.add_task("Stitching", total=len(messages))
        doors.wait_until_stitched(lambda pending: progress.update(stitched, completed=len(messages) - pending))
        _deliver(progress, "Parcels", business.parcels(), doors)
    _let_in(keeper, memory, business, database_url)
    arrange(database_url, business.guests(), today=business.now.date())
    announce(database_url)
    ask(database_url, [member.email for member in memory.members], now=memory.now)
    figures = Figures(business.customer_count, len(business.companies), business.known_shopper.email)
    memory.figures = figures
    keeper.remember(memory)
    return figures


def follow_issuer(keeper: Keeper, memory: Memory, issuer: str, database_url: str) -> None:
    """The embedded issuer's address holds the port: when that changes, who signed in at the old one does at the new."""
    if memory.issuer not in (None, issuer):
        with connect(database_url) as connection:
            move_issuer(connection, former=memory.issuer, issuer=issuer)
    memory.issuer = issuer
    keeper.remember(memory)


def _write_key(connection: Connection[Any], name: str) -> str:
    """A key for a source; a source whose key was lost with a killed start gets another."""
    sheet = next(one for one in SOURCES if one.name == name)
    try:
        made = create_source(
            connection,
            name,
            channel=sheet.channel,
            division=sheet.division,
            location=sheet.location,
            default_region=sheet.region,
        )
    except SourceExists:
        return rotate_write_key(connection, name)
    return made.write_key


def _let_in(keeper: Keeper, memory: Memory, business: Business, database_url: str) -> None:
    if not memory.members:
        memory.members = tuple(
            Member(
                guest.email,
                guest.name,
                guest.locale,
                new_password(),
                tuple(Role(*account) for account in guest.accounts),
            )
            for guest in business.guests()
        )
        keeper.remember(memory)  # before it counts: a start that is killed from here on knows them next time
    with connect(database_url, autocommit=True) as connection:
        for member in memory.members:
            with suppress(EmailTaken), connection.transaction():  # taken: let in by a start that was killed
                create_member(
                    connection,
                    issuer=memory.issuer or "",
                    email=member.email,
                    name=member.name,
                    password=member.password,
                    locale=member.locale,
                    accounts=[(account.number, AccountRole(account.role)) for account in member.accounts],
                )


def _deliver(progress: Progress, title: str, deliveries: list[Delivery], doors: Doors) -> None:
    task = progress.add_task(title, total=sum(len(delivery.records) for delivery in deliveries))
    for delivery in deliveries:
        doors.deliver(delivery, lambda count: progress.advance(task, count))


@contextmanager
def _bars(console: Console) -> Iterator[Progress]:
    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=36),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield progress
