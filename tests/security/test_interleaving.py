"""Operations of two accounts at once on two connections: some fail, some are given up, some change things, and none mixes."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from cdp.access.viewer import Role
from cdp.schema import open_graph
from cdp.settings import Settings
from tests.databases import Databases
from tests.graph.business import id_of
from tests.graph.conftest import TODAY, member
from tests.security.worlds import OTHER, OWN, Worlds, both

READ = "{ viewer { account { number orders { nodes { number account { number } } } } } accounts { nodes { number } } }"
FAILS = '{ viewer { account { number statement(kind: OPEN_ITEM, to: "2026-06-30", currency: "ZZZ") { currency } } } }'
FOREIGN = "query($id: ID!) { order(id: $id) { number } account(id: $id) { number } viewer { account { number } } }"
SLOW = (
    "{ viewer { account { number "
    + " ".join(
        f"a{n}: orders(first: 100) {{ nodes {{ number lines(first: 50) {{ totalCount }} }} }}" for n in range(15)
    )
    + " } } }"
)
CHANGES = """mutation { statementIssue(input: {kind: OPEN_ITEM, to: "2026-06-30"}) {
    statement { number account { number } } userErrors { code } } }"""
REQUESTS = 200


@pytest.fixture(scope="module")
def worlds(databases: Databases) -> Iterator[Worlds]:
    with both(databases) as made:
        yield made


async def test_two_hundred_operations_of_two_accounts_on_two_connections_never_mix(
    worlds: Worlds, tmp_path: Path
) -> None:
    chance, outcomes = random.Random(7), []
    names = {OWN: (2, b"K-1010", b"K-1020"), OTHER: (6, b"K-1020", b"K-1010")}
    settings = Settings(data_dir=tmp_path, secret_key="s" * 48)
    async with open_graph(
        worlds.crowded, "cdp_portal", writes=worlds.crowded, settings=settings, max_connections=2
    ) as graph:

        async def request(number: int) -> None:
            account = (OWN, OTHER)[number % 2]
            who, own, foreign = names[account]
            fate, document = chance.choice(
                [("reads", READ)] * 4
                + [("fails", FAILS), ("foreign", FOREIGN), ("given up", SLOW), ("changes", CHANGES)]
            )
            given = (
                {"id": id_of("ord", "0005", (OTHER if account == OWN else OWN) * 100 + 1)} if fate == "foreign" else {}
            )
            asked = graph.execute(document, given, member(who, account, Role.FINANCE), today=TODAY)
            try:
                result = await asyncio.wait_for(asked, chance.random() / 50 if fate == "given up" else 60)
            except TimeoutError:
                outcomes.append(fate)
                return
            told = orjson.dumps([result.data, result.errors])
            assert foreign not in told, (fate, told)
            assert own in told or fate in {"fails", "foreign"}, (fate, told)
            outcomes.append(fate)

        await asyncio.gather(*(request(number) for number in range(REQUESTS)))
        left = await graph.execute(READ, {}, member(2, OWN, Role.FINANCE), today=TODAY)
        assert b"K-1020" not in orjson.dumps(left.data)
    assert len(outcomes) == REQUESTS
    assert set(outcomes) == {"reads", "fails", "foreign", "given up", "changes"}
