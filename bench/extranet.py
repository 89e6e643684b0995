"""The extranet under a long ledger: pages, files, paper, and what a browser loads. Everything in one run, on one machine.

Two accounts, one with 50 entries and one with 5,000: their statement pages are asked for in turn. The long one as CSV: when the
first byte comes, and what memory the server takes for it. A statement of 400 rows as PDF, over and over, while others ask for
their orders: how long it takes, and what becomes of the others. Then every page in Chromium: bytes on the wire, requests
elsewhere, largest paint, layout shift. The server is a process of its own, as `cdp serve` runs it.
Last line: {"statement_p95_ratio", "csv_first_byte_ms", "csv_memory_mb", "pdf_ms", "others_p95_growth", "page_bytes_most", …}.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import httpx2
from playwright.sync_api import Request, sync_playwright
from psycopg import Connection
from rich.console import Console
from rich.table import Table

from cdp.access.passwords import hash_password
from cdp.db import embedded
from cdp.db.engine import connect
from cdp.db.locks import hold_customers_exclusive
from cdp.db.migrate import migrate
from cdp.db.statements import load_statements
from cdp.ledger.accounts import AccountRecord, record_accounts
from cdp.ledger.allocations import AllocationRecord, record_allocations
from cdp.ledger.entries import EntryRecord, record_entries
from cdp.ledger.orders import OrderLine, OrderRecord, record_orders
from cdp.settings import load_settings
from tests.browser import QUIET
from tests.extranet.conftest import free_port, issuer_app, serving, sign_in
from tests.tooling.provision import chromium

PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of nobody
SHORT, LONG, PAPER = "B-50", "B-5000", "B-400"
SOURCE: Final = uuid4()
ORDERS: Final = 60
PAGES: Final = (
    "/",
    "/statement",
    "/statement?kind=open-item",
    "/invoices",
    "/orders",
    "/statement/issued",
    "/sessions",
)
LANGUAGES: Final = ("en", "pt", "es", "pl")
START_SECONDS: Final = 30
ROUNDS: Final = 5
_UVICORN: Final = (
    "import sys; from cdp.server import server_config, QuietServer; from cdp.settings import load_settings; "
    "QuietServer(server_config(sys.argv[1], load_settings(), host='127.0.0.1', port=int(sys.argv[2]))).run()"
)
_READER: Final = """
import sys, threading, time, httpx2
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
with httpx2.Client(base_url=sys.argv[1], cookies={"sid": sys.argv[2]}, timeout=60, trust_env=False) as reader:
    while not over.is_set():
        began = time.perf_counter()
        reader.get("/statement.pdf").raise_for_status()
        print((time.perf_counter() - began) * 1000, flush=True)
"""
PAINT: Final = """() => new Promise(tell => {
    const seen = {paint_ms: 0, shift: 0};
    new PerformanceObserver(list => { for (const entry of list.getEntries()) seen.paint_ms = entry.startTime; })
        .observe({type: "largest-contentful-paint", buffered: true});
    new PerformanceObserver(list => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) seen.shift += entry.value;
    }).observe({type: "layout-shift", buffered: true});
    setTimeout(() => tell(seen), 300);
})"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The running extranet: its address, its process, and a signed-in session of each account."""

    url: str
    database_url: str
    process_id: int
    sessions: dict[str, str]

    def client(self, account: str) -> httpx2.Client:
        """A client signed in to an account."""
        return httpx2.Client(base_url=self.url, cookies={"sid": self.sessions[account]}, timeout=60, trust_env=False)


def main() -> None:
    """Run the benchmark."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--entries", type=int, default=5_000, help="of the long ledger")
    arguments.add_argument("--requests", type=int, default=200, help="for each percentile")
    given = arguments.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    with running(given.entries) as site:
        result = {
            **pages(site, given.requests),
            **csv(site, given.entries),
            **paper(site, given.requests),
            **browser(site),
            "entries": given.entries,
        }
    show(result)
    print(json.dumps(result))


def pages(site: Site, requests: int) -> dict[str, Any]:
    """Statement pages of both ledgers in turn: p95 of each in milliseconds, and their ratio."""
    took: dict[str, list[float]] = {SHORT: [], LONG: []}
    with site.client(SHORT) as short, site.client(LONG) as long:
        for number in range(requests + 10):
            for account, client in ((SHORT, short), (LONG, long)):
                spent = timed(partial(ask, client, "/statement"))
                if number >= 10:  # noqa: PLR2004 - the first ones warm up
                    took[account].append(spent)
    short_ms, long_ms = (round(p95(took[account]), 1) for account in (SHORT, LONG))
    return {
        "statement_short_p95_ms": short_ms,
        "statement_long_p95_ms": long_ms,
        "statement_p95_ratio": round(long_ms / short_ms, 2),
    }


def csv(site: Site, entries: int) -> dict[str, Any]:
    """The long ledger as CSV: milliseconds to the first byte, and megabytes the server's memory peaked higher meanwhile."""
    firsts, peaks = [], []
    for _ in range(5):
        before, peak, stop = resident(site.process_id), [0.0], threading.Event()

        def watch(peak: list[float] = peak, stop: threading.Event = stop) -> None:
            while not stop.wait(0.005):
                peak[0] = max(peak[0], resident(site.process_id))

        watching = threading.Thread(target=watch)
        watching.start()
        began = time.perf_counter()
        rows = 0
        with site.client(LONG) as client, client.stream("GET", "/statement.csv") as answer:
            for piece in answer.iter_bytes():
                if not rows:
                    firsts.append((time.perf_counter() - began) * 1000)
                rows += piece.count(b"\r\n")
        stop.set()
        watching.join()
        if rows != entries + 3:
            sys.exit(f"the CSV has {rows} rows")
        peaks.append(max(0.0, peak[0] - before))
    return {
        "csv_first_byte_ms": round(statistics.median(firsts), 1),
        "csv_memory_mb": round(statistics.median(peaks[1:]), 1),
    }


def paper(site: Site, requests: int) -> dict[str, Any]:
    """PDFs of 400 rows, one after the other, by a reader of its own: milliseconds of each. How much slower others' requests are
    meanwhile, at p95 and evenly spaced, in rounds with and without the reader in turn.
    """
    idle: list[float] = []
    busy: list[float] = []
    took: list[float] = []
    with site.client(SHORT) as others:
        for _ in range(ROUNDS):
            idle += [spaced(others) for _ in range(requests // ROUNDS)]
            with reading_papers(site, took):
                busy += [spaced(others) for _ in range(requests // ROUNDS)]
    return {
        "pdf_ms": round(statistics.median(took)),
        "papers": len(took),
        "others_idle_p95_ms": round(p95(idle), 1),
        "others_busy_p95_ms": round(p95(busy), 1),
        "others_p95_growth": round(p95(busy) / p95(idle) - 1, 2),
        "others_idle_median_ms": round(statistics.median(idle), 1),
        "others_busy_median_ms": round(statistics.median(busy), 1),
    }


@contextmanager
def reading_papers(site: Site, took: list[float]) -> Iterator[None]:
    """While the block runs, somebody downloads the PDF of 400 rows over and over; what each took is added to `took`."""
    # A process: a thread of ours would share the interpreter with the clock of those who are measured.
    with subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
        [sys.executable, "-c", _READER, site.url, site.sessions[PAPER]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as reader:  # fmt: skip
        assert reader.stdin
        assert reader.stdout
        reader.stdout.readline()  # the first, which warms up
        yield
        reader.stdin.close()
        took += [float(line) for line in reader.stdout]
    if reader.returncode:
        sys.exit("the reader of PDFs failed")


def spaced(client: httpx2.Client) -> float:
    """One request for orders after a pause, as people make them."""
    time.sleep(0.02)
    return timed(lambda: ok(client.get("/orders")))


def browser(site: Site) -> dict[str, Any]:
    """Every page in every language with an empty cache: the heaviest, requests elsewhere, the latest paint, the most shift."""
    program = chromium()
    weights: dict[str, int] = {}
    elsewhere, paints, shifts = 0, [], []
    with sync_playwright() as playwright:
        running_browser = playwright.chromium.launch(
            executable_path=program.program,
            args=list(QUIET),
            env={**os.environ, **program.environment},
            chromium_sandbox=False,
        )
        for language in LANGUAGES:
            with connect(site.database_url, "cdp_app") as connection:
                connection.execute("UPDATE member SET locale = %s", [language])
            for path in PAGES:
                context = running_browser.new_context(viewport={"width": 1280, "height": 800}, locale=language)
                context.add_cookies([{"name": "sid", "value": site.sessions[LONG], "url": site.url}])
                page = context.new_page()
                network = context.new_cdp_session(page)
                network.send("Network.enable")
                sizes: list[dict[str, Any]] = []
                asked: list[Request] = []
                network.on("Network.loadingFinished", partial(_note, sizes))
                page.on("request", partial(_note, asked))
                page.goto(site.url + path, wait_until="networkidle")
                found = page.evaluate(PAINT)
                weights[f"{path} {language}"] = round(sum(each["encodedDataLength"] for each in sizes))
                elsewhere += sum(not request.url.startswith((site.url, "data:")) for request in asked)
                paints.append(found["paint_ms"])
                shifts.append(found["shift"])
                context.close()
        running_browser.close()
    heaviest = max(weights, key=lambda name: weights[name])
    return {
        "page_bytes_most": weights[heaviest],
        "heaviest_page": heaviest,
        "third_party_requests": elsewhere,
        "largest_paint_ms_most": round(max(paints)),
        "layout_shift_most": round(max(shifts), 4),
    }


def _note(noted: list[Any], told: Any) -> None:
    noted.append(told)


@contextmanager
def running(entries: int) -> Iterator[Site]:
    """A database of its own with the ledgers in it, the issuer in this process, the extranet in another; all signed in."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cdp-bench-", ignore_cleanup_errors=True)))
        server = stack.enter_context(embedded.start(folder))
        url = server.url()
        migrate(url)
        issuer_port, port = free_port(), free_port()
        settings = load_settings(
            public_url=f"http://localhost:{issuer_port}",
            extranet_url=f"http://localhost:{port}",
            portal_database_url=url,
            data_dir=folder,
            seller_legal_name="Meridian Supply Ltd",
            rate_exports="off",
        )
        with connect(url, "cdp_app") as connection:
            fill(connection, entries, issuer=settings.issuer)
        with connect(url, "cdp_owner") as connection:
            connection.execute("ANALYZE")
        stack.enter_context(serving(issuer_app(settings, url), issuer_port))
        told = {
            "CDP_PUBLIC_URL": settings.public_url,
            "CDP_EXTRANET_URL": settings.extranet_url,
            "CDP_PORTAL_DATABASE_URL": url,
            "CDP_DATA_DIR": str(folder),
            "CDP_SELLER_LEGAL_NAME": settings.seller_legal_name,
            "CDP_RATE_EXPORTS": "off",
            "CDP_LOG_LEVEL": "error",
        }
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
            [sys.executable, "-c", _UVICORN, "extranet.app:app", str(port)], env={**os.environ, **told}
        )
        stack.callback(stop, process)
        wait_for(port, process)
        sessions = {}
        for account in (SHORT, LONG, PAPER):
            with httpx2.Client(follow_redirects=True, timeout=30, trust_env=False) as visitor:
                landed = sign_in(visitor, settings.extranet_url, mail(account), password=PASSWORD)
                if landed.status_code != 200 or "sid" not in visitor.cookies:  # noqa: PLR2004
                    sys.exit(f"signing in failed: {landed.text[:500]}")
                sessions[account] = visitor.cookies["sid"]
        yield Site(url=settings.extranet_url, database_url=url, process_id=process.pid, sessions=sessions)


def fill(connection: Connection[Any], entries: int, *, issuer: str) -> None:
    """Three accounts of different ledgers, each with sixty orders and a member who reads the ledger."""
    hold_customers_exclusive(connection)
    connection.execute(
        "INSERT INTO source (source_id, name, channel, identifier_namespace) VALUES (%s, 'erp', 'erp', 'erp_id')",
        [SOURCE],
    )
    for number, count in ((SHORT, 50), (LONG, entries), (PAPER, 400)):
        row = connection.execute(
            """INSERT INTO customer (customer_id, kind, name, first_seen_at, last_seen_at)
            VALUES (new_id(), 'organisation', %s, now(), now()) RETURNING customer_id""",
            [number],
        ).fetchone()
        assert row
        account = AccountRecord(
            source_id=SOURCE, number=number, customer_id=row[0], profile_id=uuid4(), name=f"Client {number}", tier="key",
            currency="EUR", legal_name=f"Client {number}, S.A.", credit_limit=Decimal(900_000), payment_terms_days=30,
        )  # fmt: skip
        account_id = record_accounts(connection, [account])[number]
        ledger(connection, number, row[0], account_id, count)
        orders(connection, number, row[0], account_id)
        member(connection, number, account_id, issuer)


def ledger(connection: Connection[Any], number: str, customer_id: UUID, account_id: UUID, count: int) -> None:
    """Invoices and their payments in turn over the last year; the last twenty invoices are open."""
    today = datetime.now(UTC).date()
    told, allocated = [], []
    for place in range(count):
        day = today - timedelta(days=(count - place) * 350 // count)
        name, pays = f"{number}-{place}", place % 2 == 1
        told.append(
            EntryRecord(
                source_id=SOURCE, external_id=name, customer_id=customer_id, account_id=account_id, currency="EUR",
                kind="payment" if pays else "invoice", document_number=("PAY" if pays else "INV") + name,
                amount=Decimal("-120.50" if pays else "120.50"), posted_on=day, due_on=None if pays else day + timedelta(days=30),
                description="SEPA transfer" if pays else "Goods as delivered", purchase_order=None if pays else f"PO-{place}",
            )
        )  # fmt: skip
        if pays and place < count - 40:
            allocated.append(
                AllocationRecord(
                    source_id=SOURCE, external_id=name, credit=name, debit=f"{number}-{place - 1}",
                    amount=Decimal("120.50"), allocated_on=day,
                )
            )  # fmt: skip
    for start in range(0, count, 1000):
        assert record_entries(connection, told[start : start + 1000]) == []
    assert record_allocations(connection, allocated) == []


def orders(connection: Connection[Any], number: str, customer_id: UUID, account_id: UUID) -> None:
    """Sixty orders of two lines."""
    line: dict[str, Any] = {"quantity": Decimal(3), "unit_price": Decimal("20.00"), "amount": Decimal("60.00")}
    record_orders(
        connection,
        [
            OrderRecord(
                source_id=SOURCE, external_id=f"{number}-{place}", number=f"SO-{number}-{place}", customer_id=customer_id,
                account_id=account_id, profile_id=uuid4(), channel="edi", currency="EUR", total=Decimal("120.00"),
                placed_at=datetime.now(UTC) - timedelta(days=place), status="placed", promised_on=date(2030, 1, 1),
                lines=tuple(OrderLine(line_no=each, name=f"Paper {each}", product=f"P{each}", **line) for each in (1, 2)),
            )
            for place in range(ORDERS)
        ],
    )  # fmt: skip


def member(connection: Connection[Any], number: str, account_id: UUID, issuer: str) -> None:
    """Somebody of the account's finance department."""
    known, people = load_statements("cdp.access"), load_statements("cdp.access.issuer")
    who = {"email": mail(number), "name": "Finance", "locale": "en"}
    row = connection.execute(people["save_person"], {**who, "password_hash": hash_password(PASSWORD)}).fetchone()
    assert row
    row = connection.execute(known["save_member"], {**who, "issuer": issuer, "subject": str(row[0])}).fetchone()
    assert row
    connection.execute(
        known["save_membership"], {"account_id": account_id, "member_id": row[0], "role": "finance", "sites": None}
    )


def mail(number: str) -> str:
    """The address of an account's member."""
    return f"{number.lower()}@clients.example"


def ask(client: httpx2.Client, path: str) -> None:
    """A page that must come."""
    ok(client.get(path))


def ok(answer: httpx2.Response) -> None:
    """Exit unless the answer is what was asked for."""
    if answer.status_code != 200:  # noqa: PLR2004
        sys.exit(f"{answer.url}: {answer.status_code} {answer.text[:300]}")


def timed(act: Callable[[], None]) -> float:
    """Milliseconds it takes."""
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def p95(figures: list[float]) -> float:
    """The figure that nineteen of twenty don't exceed."""
    return sorted(figures)[min(len(figures) - 1, len(figures) * 95 // 100)]


def resident(process_id: int) -> float:
    """Megabytes of a process in memory."""
    pages_held = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages_held * os.sysconf("SC_PAGE_SIZE") / 1_048_576


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server."""
    process.terminate()
    process.wait(20)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the server listens."""
    over_at = time.monotonic() + START_SECONDS
    while time.monotonic() < over_at and process.poll() is None:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("the extranet did not start")


def show(result: dict[str, Any]) -> None:
    """The figures as a table."""
    table = Table(title=f"The extranet, {os.cpu_count()} cores, Python {platform.python_version()}")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in result.items():
        table.add_row(name.replace("_", " "), str(value))
    Console(stderr=True).print(table)


if __name__ == "__main__":
    main()
