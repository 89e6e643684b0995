"""What the demo tells: demo.json for programs, and on the terminal where to look, who can sign in and what to ask."""

import json
from datetime import date
from typing import Any, Final

from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cdp.demo.business import Business
from cdp.demo.catalogue import SELLER, SOURCES
from cdp.demo.keeping import Keeper, Memory
from cdp.demo.loading import CLIENTS, TOOL
from cdp.demo.servers import Addresses

CARD: Final = (
    '{ recognise(identifiers: [{namespace: "email", value: "%s"}]) { name lastSeenAt'
    " profiles(first: 5) { nodes { source { name } externalId } }"
    " orders(first: 3) { totalCount nodes { number placedAt status total { amount currency } } }"
    " interactions(first: 3) { nodes { channel topic occurredAt } } } }"
)
KEY_ACCOUNTS: Final = (
    "{ accounts(filter: {tier: {eq: KEY}}, first: 10) { nodes { number name openOrderCount"
    " balance { amount currency } overdue { amount } manager { name } } } }"
)
STATEMENT: Final = (
    '{ account(number: "%s") { name statement(kind: OPEN_ITEM, to: "%s") { closing { amount currency }'
    " ageing { bucket amount { amount } } openItems { documentNumber dueOn daysLate openAmount { amount } disputed } } } }"
)


def contract(memory: Memory, business: Business, addresses: Addresses, database_url: str) -> dict[str, Any]:
    """The content of demo.json."""
    return {
        "api": addresses.api,
        "graphql": f"{addresses.api}/graphql",
        "extranet": addresses.extranet,
        "issuer": addresses.issuer,
        "database_url": database_url,
        "sources": [{"name": sheet.name, "write_key": memory.write_keys[sheet.name]} for sheet in SOURCES],
        "clients": [
            {"client_id": client.client_id, "client_secret": client.client_secret, "scopes": list(client.scopes)}
            for client in (memory.clients[name] for name in CLIENTS)
        ],
        "members": [
            {
                "email": guest.email,
                "password": memory.passwords[guest.email],
                "accounts": [{"number": number, "role": role} for number, role in guest.accounts],
            }
            for guest in business.guests()
        ],
    }


def queries(business: Business, today: date) -> list[tuple[str, str]]:
    """Three questions to try, each with what it asks."""
    known = next(one for one in business.shoppers if one.habit == "web and store" and not one.mailbox_of_another)
    return [
        ("Who is this? One customer out of several sources", CARD % known.email),
        ("How do the key accounts stand?", KEY_ACCOUNTS),
        ("What does the first one owe, and since when?", STATEMENT % (business.companies[0].number, today.isoformat())),
    ]


def show(
    console: Console, keeper: Keeper, memory: Memory, business: Business, addresses: Addresses, *, seconds: float
) -> None:
    """The terminal's page."""
    told = contract(memory, business, addresses, "")
    names = {guest.email: guest.name for guest in business.guests()}
    console.print()
    console.print(
        Panel(
            Group(
                Text(f"{SELLER['CDP_SELLER_NAME']} is open.", "bold"),
                Text(
                    f"{business.customer_count:,} customers, {len(business.companies)} trade accounts,"
                    f" {len(told['sources'])} sources; made {memory.now.date().isoformat()}, ready in {seconds:.0f} s."
                ),
            ),
            border_style="green",
            expand=False,
            padding=(0, 2),
        )
    )
    _title(console, "Where to look")
    places = Table.grid(padding=(0, 3))
    places.add_row("Extranet", Text(addresses.extranet, f"link {addresses.extranet}"), "as one of the members below")
    places.add_row("GraphQL", Text(told["graphql"], f"link {told['graphql']}"), "GraphiQL, with example queries")
    places.add_row("Tracking", Text(f"{addresses.api}/v1/batch"), "Segment-compatible; write keys in demo.json")
    places.add_row("For programs", Text(str(keeper.demo_json)), f"logs in {keeper.data_dir / 'logs'}")
    console.print(Padding(places, (0, 2)))
    _title(console, "Who can sign in")
    members = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for column in ("e-mail", "password", "who", "role in account"):
        members.add_column(column, no_wrap=True)
    for member in told["members"]:
        roles = ", ".join(f"{account['role']} in {account['number']}" for account in member["accounts"])
        members.add_row(member["email"], Text(member["password"], "bold cyan"), names[member["email"]], roles)
    console.print(Padding(members, (0, 2)), soft_wrap=True)
    _title(console, "Three questions to try")
    client = memory.clients[TOOL]
    _print_command(
        console,
        f"TOKEN=$(curl -s -u '{client.client_id}:{client.client_secret}' -d grant_type=client_credentials"
        f""" {addresses.issuer}/token | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')""",
    )
    for title, query in queries(business, memory.now.date()):
        console.print(Text(f"  # {title}", "dim"))
        body = json.dumps({"query": query}, ensure_ascii=False)
        _print_command(
            console,
            f"""curl -s {told["graphql"]} -H "authorization: Bearer $TOKEN" -H 'content-type: application/json'"""
            f" -d '{body}'",
        )
    console.print()
    console.print("  [bold]Ctrl-C[/bold] stops everything; the data stay, and the next start takes seconds.")


def _title(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, "bold green"))


def _print_command(console: Console, command: str) -> None:
    """A command in one piece, whatever the terminal's width, so that it can be copied."""
    console.print(Text(f"  {command}"), soft_wrap=True)
