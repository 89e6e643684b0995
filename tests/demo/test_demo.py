"""`cdp demo` from outside: killed half-way, finished by the next start, whole, walled, quick to come back, clean to stop."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import msgspec
import psycopg
import pytest

from cdp.demo.business import Business
from cdp.demo.errors import ServerEnded
from cdp.demo.keeping import Memory
from cdp.demo.servers import Child, check
from cdp.ledger.orders import ORDER_STATUSES
from tests.demo.running import Demo, ready, start

SECOND_START_SECONDS = 30  # three processes on a busy machine; 4 s on a quiet one

STATEMENTS = """
query ($number: String!, $currency: Currency!, $from: Date!, $to: Date!) {
  account(number: $number) {
    balance(currency: $currency, asOf: $to) { amount }
    period: statement(kind: BALANCE_FORWARD, from: $from, to: $to, currency: $currency) {
      opening { amount } closing { amount } totalDebit { amount } totalCredit { amount }
      lines(last: 1) { totalCount nodes { balance { amount } } }
    }
    open: statement(kind: OPEN_ITEM, to: $to, currency: $currency) {
      openItems { openAmount { amount } } unappliedCredits { openAmount { amount } } ageing { bucket amount { amount } }
    }
  }
}
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data directory whose first start was killed while it was loading."""
    with tempfile.TemporaryDirectory(prefix="cdp-demo-", ignore_cleanup_errors=True) as path:
        killed = start(Path(path))
        memory = Path(path) / "demo-memory.json"
        deadline = time.monotonic() + 60
        while not (memory.exists() and _was_told_something(_memory(Path(path)).api_port)):
            assert killed.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert not (Path(path) / "demo.json").exists(), "killed too late to be half-way"
        killed.kill()
        killed.wait()
        yield Path(path)


@pytest.fixture(scope="module")
def demo(folder: Path) -> Iterator[Demo]:
    """The second start, which finishes what the first began."""
    with ready(folder) as running:
        yield running


def test_demo_json_is_the_contract_s_and_for_the_owner_only(demo: Demo, folder: Path) -> None:
    assert stat.S_IMODE((folder / "demo.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "demo-memory.json").stat().st_mode) == 0o600
    told = demo.told
    assert list(told) == ["api", "graphql", "extranet", "issuer", "database_url", "sources", "clients", "members"]
    assert all(list(one) == ["name", "write_key"] for one in told["sources"])
    scopes = [set(one["scopes"]) for one in told["clients"]]
    assert scopes == [{"graph:read", "graph:pii", "ledger:read", "feed:read"}, {"import:write", "feed:read"}]
    roles = [[(account["number"], account["role"]) for account in one["accounts"]] for one in told["members"]]
    assert roles == [
        [("K-1001", "finance")],
        [("K-1001", "buyer")],
        [("K-1002", "viewer")],
        [("K-1002", "client_admin")],
        [("K-1001", "finance"), ("K-1002", "buyer")],
        [("K-1002", "buyer")],
    ]
    assert len({one["password"] for one in told["members"]}) == len(told["members"])


def test_everybody_is_one_customer_however_many_sources_told_of_them(demo: Demo, folder: Path) -> None:
    memory = _memory(folder)
    expected = Business(seed=memory.seed, customers=memory.customers, now=memory.now)
    found = demo.ask(
        """{ all: customers { totalCount } organisations: customers(filter: {kind: {eq: ORGANISATION}}) { totalCount }
        key: accounts(filter: {tier: {eq: KEY}}) { totalCount }
        trade: accounts(filter: {or: [{number: {startsWith: "K-"}}, {number: {startsWith: "T-"}}]}) { totalCount } }"""
    )
    assert found["all"]["totalCount"] == expected.customer_count
    assert found["organisations"]["totalCount"] == len(expected.companies)
    assert found["key"]["totalCount"] == 8
    assert found["trade"]["totalCount"] == 48
    shopper = demo.ask(
        """query ($email: String!) { recognise(identifiers: [{namespace: "email", value: $email}]) { name
        profiles(first: 20) { nodes { source { name } } } orders { totalCount } } }""",
        email=expected.known_shopper.email,
    )["recognise"]
    assert shopper["name"] == expected.known_shopper.name
    assert {"web-shop"} < {one["source"]["name"] for one in shopper["profiles"]["nodes"]}
    assert shopper["orders"]["totalCount"] > 0


def test_no_order_is_lost_or_doubled_by_the_kill(demo: Demo, folder: Path) -> None:
    memory = _memory(folder)
    expected = Business(seed=memory.seed, customers=memory.customers, now=memory.now)
    bought = sum(told.content.get("event") == "Order Completed" for told in expected.messages())
    told = [delivery.records for delivery in expected.trade() if delivery.kind == "orders"]
    imported = len({record["external_id"] for records in told for record in records})
    found = demo.ask("{ orders { totalCount } }")
    assert found["orders"]["totalCount"] == bought + imported


def test_there_are_orders_in_every_status_and_late_ones(demo: Demo) -> None:
    fields = " ".join(
        f"{one}: orders(filter: {{status: {{eq: {one.upper()}}}}}) {{ totalCount }}" for one in ORDER_STATUSES
    )
    counts = demo.ask(f"{{ {fields} late: orders(filter: {{late: {{eq: true}}}}) {{ totalCount }} }}")
    assert all(one["totalCount"] > 0 for one in counts.values()), counts


def test_each_feature_of_the_extranet_has_something_to_show(demo: Demo) -> None:
    found = demo.ask("""{ account(number: "K-1002") { locations contacts { totalCount }
        orders(first: 100) { nodes { location timeline { promisedFrom promisedOn } } } }
        away: account(number: "K-1001") { manager { name awayFrom deputy { name } } } }""")
    account = found["account"]
    assert len(account["locations"]) == 3
    assert account["contacts"]["totalCount"] >= 3
    assert {order["location"] for order in account["orders"]["nodes"]} - {None} == set(account["locations"])
    moved = [event for order in account["orders"]["nodes"] for event in order["timeline"] if event["promisedFrom"]]
    assert moved
    assert all(event["promisedFrom"] < event["promisedOn"] for event in moved)
    assert found["away"]["manager"]["awayFrom"] is not None
    assert found["away"]["manager"]["deputy"]["name"] != found["away"]["manager"]["name"]
    with psycopg.connect(demo.told["database_url"]) as connection:
        limited = connection.execute("SELECT sites FROM membership WHERE sites IS NOT NULL").fetchall()
    assert [len(sites) for (sites,) in limited] == [1]
    assert limited[0][0][0] in account["locations"]


def test_every_statement_adds_up(demo: Demo) -> None:
    """Rule 4, for every account and currency, over last month and as of today."""
    today = datetime.now(UTC).date()
    first = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    checked = 0
    for number, currency in _accounts(demo):
        answer = demo.ask(STATEMENTS, number=number, currency=currency, **_days(first, today))["account"]
        period, open_ = answer["period"], answer["open"]
        closing = _amount(period["closing"])
        assert (
            _amount(period["opening"]) + _amount(period["totalDebit"]) - abs(_amount(period["totalCredit"])) == closing
        )
        assert closing == _amount(answer["balance"])
        last = period["lines"]["nodes"]
        assert not last or _amount(last[0]["balance"]) == closing
        unapplied = sum((abs(_amount(one["openAmount"])) for one in open_["unappliedCredits"]), Decimal(0))
        items = sum((_amount(one["openAmount"]) for one in open_["openItems"]), Decimal(0))
        buckets = sum((_amount(one["amount"]) for one in open_["ageing"]), Decimal(0))
        assert items - unapplied == buckets - unapplied == closing, (number, currency)
        checked += 1
    assert checked == 48 + 8  # every trade account, key accounts in two currencies


def test_key_accounts_owe_something_in_every_bucket(demo: Demo) -> None:
    today = datetime.now(UTC).date()
    accounts = demo.ask(
        """query ($to: Date!) { accounts(filter: {tier: {eq: KEY}}, first: 20) { nodes { number
        statement(kind: OPEN_ITEM, to: $to) { ageing { bucket amount { amount } } } } } }""",
        to=today.isoformat(),
    )["accounts"]["nodes"]
    for account in accounts:
        assert all(_amount(one["amount"]) > 0 for one in account["statement"]["ageing"]), account


def test_a_finance_member_signs_in_and_reads_a_statement(demo: Demo) -> None:
    assert "K-1001" in _statement_page(demo)


def test_the_second_start_keeps_everything_is_quick_and_stops_cleanly(demo: Demo, folder: Path) -> None:
    before = demo.ask("{ customers { totalCount } orders { totalCount } }")
    assert demo.stop(signal.SIGINT) == 0
    assert not (folder / "postgres" / "postmaster.pid").exists(), "PostgreSQL is stopped"
    # On another port the issuer has another address: the members come along.
    with ready(folder, "--json", "--api-port", str(_free_port())) as again:
        assert again.seconds < SECOND_START_SECONDS
        assert again.told["api"] != demo.told["api"]
        assert again.told["members"] == demo.told["members"]
        assert again.told["sources"] == demo.told["sources"]
        assert again.ask("{ customers { totalCount } orders { totalCount } }") == before
        assert "K-1001" in _statement_page(again)
        second = start(folder)
        assert second.wait(30) == 1
        assert second.stdout is not None
        assert second.stdout.read().startswith("cdp: Another `cdp demo` serves from ")
        assert again.stop(signal.SIGTERM) == 0
        assert again.process.stdout is not None
        assert json.loads(again.process.stdout.read()) == again.told
    assert not (folder / "postgres" / "postmaster.pid").exists()


def test_production_refuses(tmp_path: Path) -> None:
    assert _refusal(tmp_path, CDP_ENV="production") == (
        2,
        "cdp: CDP_ENV: is production; the demo is for one's own machine.\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_one_s_own_is_not_filled_with_inventions(tmp_path: Path) -> None:
    status, told = _refusal(tmp_path, CDP_DATABASE_URL="postgresql://nobody@localhost/precious")
    assert (status, told) == (2, "cdp: CDP_DATABASE_URL: is set; the demo brings its own and would not use it.\n")


def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        status, told = _refusal(tmp_path, "--extranet-port", str(port))
    expected = f"cdp: Port {port} is taken; choose another with --extranet-port, or 0 for a free one.\n"
    assert (status, told) == (1, expected)


def test_a_server_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("began\nran out of breath\n")
    process = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    process.communicate()
    with pytest.raises(ServerEnded) as told:
        check([Child(name="worker", process=process, log=log)])
    assert told.value.message == f"The worker ended; its log is {log}. Its last line: ran out of breath"


def _refusal(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("CDP_")}
    command = [sys.executable, "-c", "from cdp.cli import main; main()", "demo", "--data-dir", str(folder)]
    ports = ("--api-port", "0", *(() if arguments else ("--extranet-port", "0")))
    done = subprocess.run(
        [*command, *ports, *arguments],
        env=given | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def _was_told_something(api_port: int) -> bool:
    """Whether the tracking API has taken a batch."""
    try:
        figures = httpx2.get(f"http://localhost:{api_port}/metrics", timeout=5).text
    except httpx2.HTTPError:
        return False
    return re.search(r'^cdp_requests_total\{.*route="/v1/batch"', figures, re.MULTILINE) is not None


def _memory(folder: Path) -> Memory:
    return msgspec.json.decode((folder / "demo-memory.json").read_bytes(), type=Memory)


def _accounts(demo: Demo) -> Iterator[tuple[str, str]]:
    """Number and currency of every account with a ledger."""
    after = None
    while True:
        page = demo.ask(
            """query ($after: String) { accounts(first: 100, after: $after) {
            nodes { number currencies ledger { totalCount } } pageInfo { hasNextPage endCursor } } }""",
            after=after,
        )["accounts"]
        for account in page["nodes"]:
            if account["ledger"]["totalCount"]:
                yield from ((account["number"], currency) for currency in account["currencies"])
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _days(first: date, last: date) -> dict[str, str]:
    return {"from": first.isoformat(), "to": last.isoformat()}


def _amount(money: dict[str, Any]) -> Decimal:
    return Decimal(money["amount"])


def _statement_page(demo: Demo) -> str:
    member = demo.member("finance")
    with httpx2.Client(follow_redirects=True, trust_env=False, timeout=30) as browser:
        form = browser.get(f"{demo.told['extranet']}/statement")
        hidden = re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', form.text)
        action = re.search(r'<form[^>]* action="(.*?)"', form.text)
        assert action, form.text
        fields = {name: unescape(value) for name, value in hidden}
        answer = browser.post(
            urljoin(str(form.url), unescape(action[1])),
            data={**fields, "email": member["email"], "password": member["password"]},
        )
        assert answer.status_code == 200
        assert str(answer.url).startswith(demo.told["extranet"])
        return answer.text


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
