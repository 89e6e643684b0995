"""`docs/matching.md` tells fields, comparisons and rules as they are, and its example comes out as it says."""

import re
from pathlib import Path

import pytest

from cdp.identify.claims import Kind
from cdp.identify.matching.fields import FIELDS
from cdp.identify.matching.files import match_files
from cdp.identify.matching.models import MODELS
from cdp.identify.matching.running import LOWER, UPPER, Options

DOCUMENT = (Path(__file__).parents[2] / "docs" / "matching.md").read_text(encoding="utf-8")
KINDS: tuple[Kind, ...] = ("person", "organisation")


def compared(kind: Kind) -> str:
    rows = [f"| {one.title} | {'; '.join(level.says for level in one.levels)} |" for one in MODELS[kind].comparisons]
    return "\n".join(["| compared | found |", "|---|---|", *rows])


def rules(kind: Kind) -> str:
    who = {"person": "Persons", "organisation": "Organisations"}[kind]
    return f"- {who}: {'; '.join(rule.title for rule in MODELS[kind].rules)}."


def fields(kind: Kind) -> str:
    rows = [
        f"| {one.name} | {', '.join(sorted(one.spellings - {one.name.replace('_', '')}))} |" for one in FIELDS[kind]
    ]
    return "\n".join([f"| {kind} | also |", "|---|---|", *rows])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [compared, rules, fields])
def test_what_the_models_do_is_told_as_it_is(part: object, kind: Kind) -> None:
    assert callable(part)
    assert part(kind) in DOCUMENT, f"docs/matching.md should tell:\n{part(kind)}"


def test_the_thresholds_are_told() -> None:
    assert (f"`--upper` ({UPPER:g})" in DOCUMENT, f"`--lower` ({LOWER:g})" in DOCUMENT) == (True, True)


def test_the_example_comes_out_as_told(tmp_path: Path) -> None:
    told = dict(re.findall(r"^`([a-z]+\.csv)`\n```csv\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL))
    assert list(told) == ["shop.csv", "crm.csv", "pairs.csv", "clusters.csv"]
    for name in ("shop.csv", "crm.csv"):
        (tmp_path / name).write_text(told[name], encoding="utf-8")
    match_files(
        [tmp_path / "shop.csv", tmp_path / "crm.csv"],
        id_column="id",
        given={},
        pairs=tmp_path / "pairs.csv",
        clusters=tmp_path / "clusters.csv",
        options=Options(),
        tell=lambda _: None,
    )
    assert (tmp_path / "pairs.csv").read_text("utf-8") == told["pairs.csv"]
    assert (tmp_path / "clusters.csv").read_text("utf-8") == told["clusters.csv"]
