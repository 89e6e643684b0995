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
from cdp.graph.plan import Limits
from cdp.schema import endpoint, execution, limits
from tests.schema.conftest import Door

REFUSALS: tuple[type[CdpError], ...] = (
    *(refusal.ValueInvalid, refusal.CursorInvalid, refusal.PageInvalid, refusal.LimitExceeded, refusal.ScopeMissing),
    *(refusal.TooSlow, refusal.Internal, Unavailable, TokenMissing, TokenInvalid, TooLarge),
    *(endpoint.RequestMalformed, endpoint.OnlyQueries, endpoint.NotAcceptable, endpoint.UnsupportedMediaType),
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
    bounds = Limits()
    assert [row.strip("| \n").split(" | ") for row in told[1].splitlines()] == [
        ["the body", f"{endpoint.LARGEST_REQUEST_BYTES:,} bytes"],
        ["its document", f"{endpoint.LARGEST_DOCUMENT_CHARACTERS:,} characters, {execution.MOST_TOKENS:,} tokens"],
        ["fields of an operation, fragments written out", f"{limits.MOST_FIELDS:,}"],
        ["fields at its root", f"{limits.MOST_ROOT_FIELDS:,}"],
        ["levels of fields", f"{limits.MOST_LEVELS:,}"],
        ["fragments", f"{limits.MOST_FRAGMENTS:,}"],
        ["edges below one another", f"{bounds.depth:,}"],
        ["objects the answer can hold, by the page sizes asked for", f"{bounds.nodes:,}"],
        ["rows of a page", f"{LARGEST_PAGE:,}"],
        ["values in one list", f"{conditions.MOST_VALUES:,}"],
        [
            "conditions, filters, filters within one another",
            f"{conditions.MOST_CONDITIONS:,}, {conditions.MOST_FILTERS:,}, {conditions.MOST_LEVELS:,}",
        ],
        ["time in the database for a root field", f"{execution.STATEMENT_SECONDS} seconds"],
    ]


def test_the_codes_are_the_codes() -> None:
    told = set(
        re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (`[a-z_`, ]+) \| [\d, or]+ \|", TEXT, re.MULTILINE)))
    )
    assert told == {"graphql_syntax", "graphql_invalid"} | {error.code for error in REFUSALS}
