"""What the documents tell of the feed and of following is so."""

import asyncio
import re
from pathlib import Path
from typing import Any

import orjson

from cdp.feed import Position
from cdp.feed.kinds import ANNOUNCED, KINDS, SUBJECTS
from tests.feed.conftest import World, person

ROOT = Path(__file__).parents[2]
FEED = (ROOT / "docs/changes.md").read_text(encoding="utf-8")
FOLLOWING = (ROOT / "docs/graphql.md").read_text(encoding="utf-8").split("\n## Following\n")[1]


def test_the_kinds_are_those_that_rooms_tell() -> None:
    told = set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", FEED, re.MULTILINE))
    found: set[str] = set()
    for room in ("identify", "ledger"):
        source = (ROOT / "cdp" / room / "telling.py").read_text(encoding="utf-8")
        found |= set(re.findall(rf'"((?:{"|".join(SUBJECTS)})\.[a-z_]+)"', source))
    assert told == KINDS == found | ANNOUNCED
    assert found & ANNOUNCED == set()
    assert {kind.partition(".")[0] for kind in KINDS} == set(SUBJECTS)


def test_the_line_shown_has_the_members_of_a_line(world: World) -> None:
    (block,) = re.findall(r"^```json\n(.*?)^```", FEED, re.MULTILINE | re.DOTALL)
    shown = orjson.loads(block)
    world.tell(person("ana", name="Ana"))
    headers = {"authorization": f"Bearer {world.token()}"}
    line = orjson.loads(world.http.get("/v1/changes", headers=headers).text)
    assert list(shown) == list(line)
    assert (
        [len(shown[name]) for name in ("cursor", "id", "customerId")]
        == [27, 36, 36]
        == [len(line[name]) for name in ("cursor", "id", "customerId")]
    )
    assert len(Position(1, 1).cursor) == 27


async def test_the_conversation_goes_as_told(world: World) -> None:
    (block,) = re.findall(r"^```text\n(.*?)^```", FOLLOWING, re.MULTILINE | re.DOTALL)
    token = await asyncio.to_thread(world.token)
    async with world.bare_socket() as socket:
        for said in block.splitlines():
            message: dict[str, Any] = orjson.loads(said[2:])
            if said.startswith("→"):
                if message["type"] == "connection_init":
                    message["payload"]["authorization"] = f"Bearer {token}"
                await socket.send(**message)
                if message["type"] == "subscribe":
                    await socket.settled()
                    await asyncio.to_thread(world.tell, person("ben", name="Ben"), person("ana", name="Ana"))
            else:
                got = await socket.next()
                if got["type"] == "next":
                    got["payload"]["data"]["customerChanged"]["cursor"] = "…"
                assert got == message
