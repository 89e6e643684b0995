"""How much somebody may ask in a while: a token, a file, the graph; for all processes together."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest

from cdp.access.allowances import Allowances, shared_allowances, take
from cdp.access.viewer import Member, Role, Tool, Viewer
from cdp.db.engine import connect, open_pool
from cdp.errors import TooManyRequests
from cdp.limits import Rate, read_rate
from cdp.settings import SettingsError, load_settings
from tests.access.world import EXTRANET, ISSUER, NORD, World, client_token, follow, staged, submit_password


@dataclass(frozen=True, slots=True)
class Place:
    """A database without anybody in it."""

    url: str

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """As superuser, in a transaction of its own."""
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def place(shared_database_url: str) -> Place:
    made = Place(shared_database_url)
    made.execute("DELETE FROM allowance")
    return made


SLOW = Rate(units=3, seconds=3_600)


def test_a_rate_is_read_and_a_wrong_one_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_rate("600/minute") == Rate(units=600, seconds=60)
    assert read_rate("off") is None
    for text in ("0/minute", "10", "10/week", "-1/hour", "1.5/hour", "10/minute "):
        monkeypatch.setenv("CDP_RATE_TOKEN", text)
        with pytest.raises(SettingsError) as caught:
            load_settings()
        assert caught.value.message == (
            "CDP_RATE_TOKEN: must look like 600/minute (second, minute, hour, day), or be off."
        )


async def test_so_many_are_taken_at_once_and_then_evenly(place: Place) -> None:
    rate = Rate(units=3, seconds=1)
    async with open_pool(place.url, "cdp_app", autocommit=True) as pool, pool.connection() as connection:
        for _ in range(3):
            await take(connection, rate, "letters", "ana")
        with pytest.raises(TooManyRequests) as caught:
            await take(connection, rate, "letters", "ana")
        assert caught.value.retry_after_seconds == 1
        await take(connection, rate, "letters", "ben")
        await take(connection, rate, "invites", "ana")
        await asyncio.sleep(0.4)
        await take(connection, rate, "letters", "ana")
        with pytest.raises(TooManyRequests):
            await take(connection, rate, "letters", "ana")


async def test_of_many_at_once_exactly_so_many_are_let_in(place: Place) -> None:
    async with open_pool(place.url, "cdp_app", autocommit=True, max_size=8) as pool:

        async def one() -> bool:
            async with pool.connection() as connection:
                try:
                    await take(connection, SLOW, "race", "ana")
                except TooManyRequests:
                    return False
                return True

        outcomes = await asyncio.gather(*(one() for _ in range(24)))
    assert outcomes.count(True) == 3


async def test_a_refused_one_costs_nothing_and_old_keys_are_forgotten(place: Place) -> None:
    async with open_pool(place.url, "cdp_app", autocommit=True) as pool, pool.connection() as connection:
        for _ in range(3):
            await take(connection, SLOW, "letters", "ana")
        before = place.execute("SELECT free_at FROM allowance")
        with pytest.raises(TooManyRequests):
            await take(connection, SLOW, "letters", "ana")
        assert place.execute("SELECT free_at FROM allowance") == before
        place.execute("UPDATE allowance SET free_at = now() - interval '1 second'")
        await take(connection, SLOW, "letters", "ben")
    assert place.execute("SELECT count(*) FROM allowance") == [(1,)]


async def test_the_token_endpoint_says_when_to_come_back(world: World) -> None:
    limited = world.settings.model_copy(update={"rate_token": "2/hour"})
    async with staged(_with(world, limited)) as stage, stage.browser() as browser:
        for _ in range(2):
            assert (await client_token(browser, world.tool)).status_code == 200
        refused = await client_token(browser, world.tool)
        body = refused.json()
        assert refused.status_code == 429
        assert (body["error"], body["code"]) == ("too_many_requests", "too_many_requests")
        assert body["message"] == f"Too many requests; try again in {refused.headers['retry-after']} seconds."
        assert 0 < int(refused.headers["retry-after"]) <= 1_800
        other = await browser.post(f"{ISSUER}/token", auth=("another", "x"), data={"grant_type": "client_credentials"})
        assert other.status_code == 401, "one client's allowance is not another's"


async def test_a_claimed_client_does_not_use_up_anothers_allowance_elsewhere(world: World) -> None:
    limited = world.settings.model_copy(update={"rate_token": "2/hour"})
    async with staged(_with(world, limited)) as stage:
        app: Any = stage.transports["http://localhost:8000"]
        far = httpx2.ASGITransport(app=app.app, client=("203.0.113.9", 1))
        async with httpx2.AsyncClient(transport=far) as stranger, stage.browser() as browser:
            for _ in range(5):
                form = {"grant_type": "client_credentials"}
                await stranger.post(f"{ISSUER}/token", auth=(world.tool.client_id, "guess"), data=form)
            assert (await client_token(browser, world.tool)).status_code == 200


async def test_files_taken_away_are_limited_and_on_record(world: World) -> None:
    limited = world.settings.model_copy(update={"rate_exports": "2/hour"})
    async with staged(_with(world, limited)) as stage, stage.browser() as browser:
        page = await follow(browser, await browser.get(f"{EXTRANET}/sign-in"))
        await follow(browser, await submit_password(browser, page, "fina@example.com"))
        asked = _Asked(dict(browser.cookies))
        for _ in range(2):
            await stage.access.take_away(asked, what="statement", form="csv")  # type: ignore[arg-type]
        with pytest.raises(TooManyRequests) as caught:
            await stage.access.take_away(asked, what="statement", form="pdf")  # type: ignore[arg-type]
        assert 0 < caught.value.retry_after_seconds <= 1_800
        with pytest.raises(TooManyRequests):
            await stage.access.take_away(_Asked({}), what="statement", form="csv")  # type: ignore[arg-type]
    rows = world.execute("SELECT outcome, target, details ->> 'format', account_id FROM audit_record"
                         " WHERE event = 'export' ORDER BY recorded_at, audit_id")  # fmt: skip
    account = world.accounts[NORD]
    assert rows == [("done", "statement", "csv", account)] * 2 + [("refused", "statement", "pdf", account)]


async def test_the_graph_is_counted_by_each_process_and_shared(place: Place) -> None:
    """Two processes: what the one spent the other knows once both have told."""
    rate, tool = Rate(units=100, seconds=3_600), Tool(client_id="desk", scopes=frozenset())
    async with open_pool(place.url, "cdp_app") as pool:
        here, there = (Allowances(lambda: pool, tool=rate, member=None) for _ in range(2))
        mine, theirs = here.of(tool), there.of(tool)
        assert mine is not None
        assert theirs is not None
        for allowance in (mine, theirs):
            allowance.admit()
            allowance.spend(59)
        assert (mine.remaining, theirs.remaining) == (40, 40)
        await here.tell()
        await there.tell()
        assert theirs.remaining == 0
        with pytest.raises(TooManyRequests) as caught:
            theirs.admit()
        assert 600 < caught.value.retry_after_seconds <= 721
        mine.spend(1)
        await here.tell()
        with pytest.raises(TooManyRequests):
            mine.admit()


async def test_each_person_that_a_tool_acts_for_has_their_own_and_members_theirs(place: Place) -> None:
    rate = Rate(units=10, seconds=60)
    async with open_pool(place.url, "cdp_app") as pool:
        allowances = Allowances(lambda: pool, tool=rate, member=rate)
        viewers: list[Viewer] = [
            Tool(client_id="desk", scopes=frozenset()),
            Tool(client_id="desk", scopes=frozenset(), acting_for="sam"),
            Tool(client_id="desk", scopes=frozenset(), acting_for="kim"),
            *(Member(member_id=uuid4(), account_id=uuid4(), role=Role.BUYER) for _ in range(2)),
        ]
        each = [allowances.of(viewer) for viewer in viewers]
        assert len({id(one) for one in each}) == 5
        assert allowances.of(viewers[1]) is each[1]
        assert Allowances(lambda: pool, tool=None, member=rate).of(viewers[0]) is None


async def test_without_a_database_a_process_goes_on_counting_by_itself(place: Place) -> None:
    rate, tool = Rate(units=100, seconds=3_600), Tool(client_id="desk", scopes=frozenset())
    async with open_pool(place.url, "cdp_app") as pool:
        allowances = Allowances(lambda: pool, tool=rate, member=None)
        mine = allowances.of(tool)
        assert mine is not None
        mine.spend(150)
        place.execute("ALTER FUNCTION allowance_spend RENAME TO away")
        with pytest.raises(Exception, match="allowance_spend"):
            await allowances.tell()
        with pytest.raises(TooManyRequests):
            mine.admit()
        place.execute("ALTER FUNCTION away RENAME TO allowance_spend")
        await allowances.tell()
        assert mine.remaining == 0
        assert mine.untold_seconds == 0


async def test_what_was_spent_is_told_at_the_end_and_by_the_portals_role_too(place: Place) -> None:
    rate, member = Rate(units=100, seconds=3_600), Member(member_id=uuid4(), account_id=uuid4(), role=Role.BUYER)
    async with (
        open_pool(place.url, "cdp_portal", autocommit=True) as pool,
        shared_allowances(lambda: pool, member=rate) as allowances,
    ):
        mine = allowances.of(member)
        assert mine is not None
        mine.spend(50)
    assert place.execute("SELECT round(extract(epoch FROM free_at - now()) / 36) FROM allowance") == [(50,)]
    with connect(place.url, "cdp_portal") as connection, pytest.raises(Exception, match="permission denied"):
        connection.execute("SELECT * FROM allowance")


async def test_counting_costs_a_read_microseconds(place: Place) -> None:
    async with open_pool(place.url, "cdp_app") as pool:
        allowances = Allowances(lambda: pool, tool=Rate(units=10**9, seconds=60), member=None)
        tool = Tool(client_id="desk", scopes=frozenset())
        started = time.perf_counter()
        for _ in range(10_000):
            mine = allowances.of(tool)
            assert mine is not None
            mine.admit()
            mine.spend(100)
            assert mine.header
        assert (time.perf_counter() - started) / 10_000 < 50e-6


class _Asked:
    """A request as far as its cookies go."""

    def __init__(self, cookies: dict[str, str]) -> None:
        self.cookies = cookies


def _with(world: World, settings: Any) -> World:
    return World(
        url=world.url, settings=settings, accounts=world.accounts, members=world.members, tool=world.tool,
        console=world.console,
    )  # fmt: skip
