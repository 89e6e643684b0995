"""Files in, pairs out: what is understood, what is refused and how, and that nothing of it needs a server."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cdp.errors import Invalid
from cdp.identify.matching.files import match_files
from cdp.identify.matching.running import Options
from tests.matching.conftest import Write
from tests.matching.febrl import rows

PEOPLE = """ID,First name,Last name,Birthday,E-Mail,Strasse,PLZ,Ort
1,Ana,García,1980-04-02,ana@example.com,Calle Mayor 7,28013,Madrid
2,Bruno,Keller,1975-11-30,bruno@example.com,Hauptstr. 12,10115,Berlin
3,Carla,Rossi,1990-01-15,carla@example.com,Via Roma 3,00184,Roma
4,Dora,Novak,1968-07-21,dora@example.com,Ilica 5,10000,Zagreb
"""
OTHERS = """key;Name;dob;mail;address;zip;town
a;"Garcia, Ana";02.04.1980;ana.garcia@example.org;calle mayor, 7;28013;MADRID
b;Bruno Kellr;30.11.1975;;Hauptstr 12;10115;Berlin
c;Erik Dahl;12.05.1983;erik@example.com;Storgata 1;0155;Oslo
"""


def match(*arguments: str | Path, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """`cdp match` in a process that knows of no database, and has none of these packages."""
    hidden = "".join(f"sys.modules[{name!r}] = None; " for name in without)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDP_")}
    return subprocess.run(
        [sys.executable, "-c", f"import sys; {hidden}from cdp.cli import main; main()", "match", *map(str, arguments)],
        env={**clean, "CDP_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def refusal(*arguments: str | Path, without: tuple[str, ...] = ()) -> str:
    """The one line that a refused command says."""
    result = match(*arguments, without=without)
    assert result.returncode == 1, (result.stdout, result.stderr)
    (line,) = [one for one in result.stderr.splitlines() if one.startswith("cdp: ")]
    return line.removeprefix("cdp: ")


def test_two_files_that_share_no_key_are_matched(write: Write, tmp_path: Path) -> None:
    people = write("people.csv", PEOPLE.replace("ID", "key", 1))
    result = match(
        "--input", people, "--input", write("others.csv", OTHERS), "--id-column", "key",
        "--output", tmp_path / "pairs.csv", "--clusters", tmp_path / "clusters.csv", "--across", "--json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["records"], told["clusters"]) == (7, 5)
    assert told["columns"]["others.csv"] == {
        "name": "Name", "date_of_birth": "dob", "email": "mail", "street": "address", "city": "town", "postcode": "zip",
    }  # fmt: skip
    pairs = rows(tmp_path / "pairs.csv")
    found = {(one["source_1"], one["id_1"], one["source_2"], one["id_2"], one["verdict"]) for one in pairs}
    assert found == {("people", "1", "others", "a", "match"), ("people", "2", "others", "b", "match")}
    ana = next(one for one in pairs if one["id_1"] == "1")
    assert "name: the same +" in ana["explanation"]
    assert "date of birth: the same +" in ana["explanation"]
    assert "email: different -" in ana["explanation"]
    clusters = rows(tmp_path / "clusters.csv")
    assert [row["cluster"] for row in clusters] == ["1", "1", "2", "2", "3", "4", "5"]
    assert (clusters[1]["source"], clusters[1]["id"]) == ("others", "a")
    assert "<svg" in (tmp_path / "pairs.html").read_text(encoding="utf-8")


def test_columns_are_mapped_by_hand(write: Write, tmp_path: Path) -> None:
    odd = "n,who,born_then,wo\n1,Ana García,1980-04-02,Madrid\n2,GARCIA Ana,1980-04-02,Madrid\n3,Erik Dahl,1983-05-12,Oslo\n"
    given = ("--map", "name=who", "--map", "date_of_birth=born_then", "--map", "city=wo")
    result = match(
        "--input", write("odd.csv", odd), "--id-column", "n", "--output", tmp_path / "p.csv", *given, "--json"
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["columns"] == {
        "odd.csv": {"name": "who", "date_of_birth": "born_then", "city": "wo"}
    }
    (pair,) = rows(tmp_path / "p.csv")
    assert (pair["id_1"], pair["id_2"]) == ("1", "2")
    assert "name: the same, given and family name swapped +" in pair["explanation"]


def test_organisations_are_matched_by_their_own_model(write: Write, tmp_path: Path) -> None:
    text = (
        "id,company,vat,website,city\n"
        "1,Müller & Söhne GmbH,DE811907980,https://www.mueller-soehne.example/start,Kassel\n"
        "2,Mueller u. Soehne,,mueller-soehne.example,Kassel\n"
        "3,MÜLLER & SÖHNE,DE 811 907 980,,Kassel\n"
        "4,Acme Trading Ltd.,GB123456789,acme.example,Leeds\n"
        "5,Acme Trading Limited,,acme.example,Leeds\n"
    )
    arguments = ("--kind", "organisation", "--id-column", "id", "--output", tmp_path / "p.csv")
    result = match("--input", write("firms.csv", text), *arguments)
    assert result.returncode == 0, result.stderr
    found = {(one["id_1"], one["id_2"]) for one in rows(tmp_path / "p.csv")}
    assert {("1", "3"), ("4", "5")} <= found
    assert not found & {("1", "4"), ("3", "5"), ("2", "4")}


HEADER = "ID, First name, Last name, Birthday, E-Mail, Strasse, PLZ, Ort"
REFUSALS: dict[str, tuple[str, dict[str, Any], str]] = {
    "no such id column": (PEOPLE, {"id_column": "Nr"}, f"f.csv has no column Nr: it has {HEADER}."),
    "an id twice": (
        PEOPLE + "2,Eva,Lind,,,,,\n",
        {},
        "f.csv: each record needs an id of its own in the column ID; told twice: 1, such as 2.",
    ),
    "no id": (
        PEOPLE + ",Eva,Lind,,,,,\n",
        {},
        "f.csv: each record needs an id in the column ID; records without one: 1.",
    ),
    "empty": ("", {}, "f.csv holds no records."),
    "a header alone": ("ID,name,dob\n", {}, "f.csv holds no records."),
    "no such column": (PEOPLE, {"given": {"city": "Town"}}, f"f has no column Town: it has {HEADER}."),
    "two columns for a field": (
        "ID,dob,birthday\n1,1980-04-02,1980-04-02\n",
        {},
        "f.csv has several columns that could be date_of_birth: dob, birthday. Say which one with --map ",
    ),
    "nothing of a person": (
        "ID,height\n1,180\n",
        {},
        "f.csv has no column that says something of a person. It has ID, height. Name them with --map FIELD=",
    ),
    "too little": (
        "ID,city\n1,Madrid\n2,Oslo\n",
        {},
        "What these records tell doesn't suffice to look for pairs: city. A person needs at least one of: national id; ",
    ),
    "ragged": ("ID,name\n1,Ana\n2,Ana,more,still more\n", {}, "f.csv can't be read as CSV in UTF-8: "),
    "no such field": (PEOPLE, {"given": {"shoe": "Ort"}}, "shoe is no field of a person: name, given_name, "),
    "thresholds crossed": (
        PEOPLE,
        {"options": Options(upper=1, lower=2)},
        "The upper threshold (1) is below the lower one (2).",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_matched_is_refused_in_a_sentence(write: Write, tmp_path: Path, case: str) -> None:
    text, asked, says = REFUSALS[case]
    output = tmp_path / "pairs.csv"
    usual: dict[str, Any] = {"id_column": "ID", "given": {}, "options": Options()}
    with pytest.raises(Invalid) as refused:
        match_files([write("f.csv", text)], pairs=output, clusters=None, tell=lambda _: None, **{**usual, **asked})
    assert refused.value.message.startswith(says)
    assert not output.exists()


def test_a_refusal_is_one_line_on_the_terminal(write: Write, tmp_path: Path) -> None:
    line = refusal("--input", write("f.csv", PEOPLE), "--id-column", "Nr", "--output", tmp_path / "pairs.csv")
    assert line == f"f.csv has no column Nr: it has {HEADER}."


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes(PEOPLE.encode("latin-1"))
    line = refusal("--input", path, "--id-column", "ID", "--output", tmp_path / "pairs.csv")
    assert line.startswith("latin.csv can't be read as CSV in UTF-8: ")


@pytest.mark.parametrize("package", ["duckdb", "splink"])
def test_without_the_extra_one_line_names_it(write: Write, tmp_path: Path, package: str) -> None:
    line = refusal(
        "--input", write("f.csv", PEOPLE), "--id-column", "ID", "--output", tmp_path / "p.csv", without=(package,)
    )
    assert line == "Matching needs packages that aren't installed: pip install 'customer-graph[match]'."


def test_without_spark_one_line_names_its_extra(write: Write, tmp_path: Path) -> None:
    line = refusal(
        "--input", write("f.csv", PEOPLE), "--id-column", "ID", "--output", tmp_path / "p.csv", "--engine", "spark",
        without=("pyspark",),
    )  # fmt: skip
    assert line == "Spark isn't installed: pip install 'customer-graph[spark]'."


def test_options_for_files_are_no_options_for_the_database(tmp_path: Path) -> None:
    result = match("--output", tmp_path / "pairs.csv")
    assert result.returncode == 2
    assert "is for files: give --input too" in " ".join(result.stderr.split())
