"""What the demo tells: demo.json for programs, and on the terminal where to look, who can sign in and what to ask."""

import json
from datetime import datetime
from typing import Any, Final

from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cdp.demo.catalogue import SELLER, SOURCES, TIME_ZONE
from cdp.demo.keeping import Figures, Keeper, Memory
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


def contract(memory: Memory, addresses: Addresses, database_url: str) -> dict[str, Any]:
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
                "email": member.email,
                "password": member.password,
                "accounts": [{"number": account.number, "role": account.role} for account in member.accounts],
            }
            for member in memory.members
        ],
    }


def queries(memory: Memory, figures: Figures) -> list[tuple[str, str]]:
    """Three questions to try, each with what it asks."""
    first = memory.members[0].accounts[0].number
    today = datetime.now(TIME_ZONE).date()
    return [
        ("Who is this? One customer out of several sources", CARD % figures.shopper),
        ("How do the key accounts stand?", KEY_ACCOUNTS),
        ("What does the first one owe, and since when?", STATEMENT % (first, today.isoformat())),
    ]


def show(
    console: Console, keeper: Keeper, memory: Memory, figures: Figures, addresses: Addresses, *, seconds: float
) -> None:
    """The terminal's page."""
    told = contract(memory, addresses, "")
    console.print()
    console.print(
        Panel(
            Group(
                Text(f"{SELLER['CDP_SELLER_NAME']} is open.", "bold"),
                Text(
                    f"{figures.customers:,} customers out of {len(told['sources'])} sources,"
                    f" {figures.accounts} trade accounts."
                    f"\nLoaded {memory.now.date().isoformat()}, ready in {seconds:.0f} s."
                ),
            ),
            border_style="green",
            expand=False,
            padding=(0, 2),
        )
    )
    _title(console, "Where to look")
    _print_table(
        console,
        [
            ("Extranet", addresses.extranet, "as one of the members below"),
            ("GraphQL", told["graphql"], "GraphiQL, with example queries"),
            ("Tracking", f"{addresses.api}/v1/batch", "Segment-compatible"),
            ("demo.json", str(keeper.demo_json), "write keys, OAuth clients, database"),
            ("Logs", str(keeper.logs), ""),
        ],
    )
    _title(console, "Who can sign in to the extranet")
    _print_table(
        console,
        [
            (
                member["email"],
                member["password"],
                ", ".join(f"{account['role']} {account['number']}" for account in member["accounts"]),
            )
            for member in told["members"]
        ],
    )
    _title(console, "Three questions to try")
    client = memory.clients[TOOL]
    _print_command(
        console,
        f"TOKEN=$(curl -s -u '{client.client_id}:{client.client_secret}' -d grant_type=client_credentials"
        f""" {addresses.issuer}/token | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')""",
    )
    for title, query in queries(memory, figures):
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


def _print_table(console: Console, rows: list[tuple[str, str, str]]) -> None:
    """Two columns that are never cut, because they are copied, and a third that wraps."""
    table = Table.grid(padding=(0, 2))
    for style in ("bold", "cyan"):
        table.add_column(
            style=style, no_wrap=True, min_width=max(len(row[0 if style == "bold" else 1]) for row in rows)
        )
    table.add_column(style="dim")
    for row in rows:
        table.add_row(*row)
    console.print(Padding(table, (0, 2)))


def _print_command(console: Console, command: str) -> None:
    """A command in one piece, whatever the terminal's width, so that it can be copied."""
    console.print(Text(f"  {command}"), soft_wrap=True)
