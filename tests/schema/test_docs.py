"""`docs/graphql.md` tells the truth: its examples are asked of the served application, its limits are the code's."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdp.access.tokens import TokenInvalid, TokenMissing
from cdp.errors import CdpError, TooLarge, Unavailable
from cdp.graph import conditions, refusal
from cdp.graph.page import LARGEST_PAGE
from cdp.limits import ADMIN, MEMBER, NAMES, TOOL
from cdp.schema import endpoint, limits, persisted
from tests.schema.conftest import Door

REFUSALS: tuple[type[CdpError], ...] = (
    *(refusal.ValueInvalid, refusal.CursorInvalid, refusal.PageInvalid, refusal.LimitExceeded, refusal.ScopeMissing),
    *(refusal.TooSlow, refusal.Internal, Unavailable, TokenMissing, TokenInvalid, TooLarge),
    *(persisted.DocumentNotTrusted, persisted.DocumentNotFound),
    *(persisted.RequestMalformed, endpoint.OnlyQueries, endpoint.NotAcceptable, endpoint.UnsupportedMediaType),
)
DOCUMENT = Path(__file__).parents[2] / "docs" / "graphql.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")


def examples() -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Each document, its variables and its answer: one JSON block is the answer, of two the first are variables."""
    found = re.findall(r"^```graphql\n(.*?)^```\n((?:```json\n.*?^```\n)+)", TEXT, re.MULTILINE | re.DOTALL)
    for document, after in found:
        *variables, answer = [json.loads(block) for block in re.findall(r"```json\n(.*?)```\n", after, re.DOTALL)]
        yield document, variables[0] if variables else {}, answer


EXAMPLES = list(examples())


def test_every_document_has_its_answer() -> None:
    assert len(EXAMPLES) == TEXT.count("```graphql\n") >= 8


@pytest.mark.parametrize(("document", "variables", "answer"), EXAMPLES)
def test_an_example_is_answered_as_told(
    door: Door, document: str, variables: dict[str, Any], answer: dict[str, Any]
) -> None:
    assert door.ask(document, variables=variables).json() == answer


def test_the_limits_are_the_codes() -> None:
    told = re.search(r"^\| of a request \| at most \|\n\|---\|---\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert told is not None
    assert [row.strip("| \n").split(" | ") for row in told[1].splitlines()] == [
        ["the body", f"{endpoint.LARGEST_REQUEST_BYTES:,} bytes"],
        ["fields of an operation, fragments written out", f"{limits.MOST_FIELDS:,}"],
        ["fields at its root", f"{limits.MOST_ROOT_FIELDS:,}"],
        ["levels of fields", f"{limits.MOST_LEVELS:,}"],
        ["fragments", f"{limits.MOST_FRAGMENTS:,}"],
        ["rows of a page", f"{LARGEST_PAGE:,}"],
        ["values in one list", f"{conditions.MOST_VALUES:,}"],
        [
            "conditions, filters, filters within one another",
            f"{conditions.MOST_CONDITIONS:,}, {conditions.MOST_FILTERS:,}, {conditions.MOST_LEVELS:,}",
        ],
    ]


def test_the_limits_of_viewers_are_the_codes() -> None:
    told = re.findall(r"^\| `(\w+)`[^|`]* \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", TEXT, re.MULTILINE)
    assert told == [(name, *(f"{getattr(each, name):,}" for each in (TOOL, ADMIN, MEMBER))) for name in NAMES]


def test_what_is_remembered_of_persisted_queries_is_the_codes() -> None:
    assert f"up to {persisted.MOST_LEARNT:,} documents of {persisted.MOST_LEARNT_BYTES // 2**20} MiB" in TEXT


def test_the_codes_are_the_codes() -> None:
    table = TEXT.partition("| code | status | what to do |\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`[a-z_`, ]+) \| [\d, or]+ \|", table, re.MULTILINE)
    told = set(re.findall(r"`([a-z_]+)`", "".join(rows)))
    assert told == {"graphql_syntax", "graphql_invalid"} | {error.code for error in REFUSALS}
