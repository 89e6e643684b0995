"""`search`: what is found by which words, of the business that the tests of the graph share."""

from typing import Any

import pytest

from tests.graph.conftest import EVERYTHING, TODAY

SEARCH = """query ($text: String!) {
  search(text: $text) { ... on Customer { customer: email } ... on Account { account: number } ... on Order { order: number } }
}"""


async def found(graph: Any, text: str) -> list[str]:
    result = await graph.execute(SEARCH, {"text": text}, EVERYTHING, today=TODAY)
    assert not result.errors
    assert result.statements == 1
    return [next(iter(each.values())) for each in result.data["search"]]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Customer O", ["c14@example.com", "c40@example.com", "…"]),  # who are called so, then others like it
        ("tomer O", ["c14@example.com", "c40@example.com", "…"]),  # any part of a name
        ("c40@example.com", ["c40@example.com"]),  # an identifier as it is
        ("C40@EXAMPLE", ["c40@example.com"]),  # or a part of it, in any case
        ("u4", ["c4@example.com", "c40@example.com"]),  # two letters where a value begins
        ("40", ["K-1040"]),  # or another of its words, here of the name
        ("K-1010", ["K-1010"]),
        ("-1010", ["K-1010"]),
        ("SO-10-2", ["SO-10-2"]),
        ("no such customer at all, nor anything like it", []),
        ("st", []),  # within many names, but where no word begins
        ("%%", []),  # as it stands, and nothing else
    ],
)
async def test_words_find(graph: Any, text: str, first: list[str]) -> None:
    listed = await found(graph, text)
    if "…" in first:
        assert len(listed) >= len(first)
        listed[len(first) - 1 :] = ["…"]
    assert listed == first


async def test_the_best_twenty_are_listed(graph: Any) -> None:
    assert len(await found(graph, "cu")) == 20  # who are all called "Customer"
    listed = await found(graph, "SO-1")
    assert len(listed) == 20
    assert all(number.startswith("SO-1") for number in listed)
