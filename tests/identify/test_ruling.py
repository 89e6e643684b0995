"""What operators set: read strictly, kept with who and when, obeyed by all; and golden values with whose they are."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from cdp.access.viewer import READ_SCOPES, Tool
from cdp.cli import app
from cdp.db.engine import connect
from cdp.identify.identifier import Identifier
from cdp.identify.rules import DEFAULT_RULES, Limit, Rules, Size
from cdp.identify.ruling import UnknownSources, UnusableRules, read_rules, rules_in_force, set_rules
from cdp.schema import open_graph
from tests.identify.world import draft, make_sources, tell

EVERYTHING = Tool(client_id="test", scopes=frozenset(READ_SCOPES))


def test_nothing_set_is_the_defaults() -> None:
    assert read_rules({}) == DEFAULT_RULES


def test_what_is_set_counts_and_what_is_not_stays() -> None:
    rules = read_rules(
        {
            "limits": {"default": 3, "phone": {"count": 2, "window": "month"}},
            "priorities": ["user_id", "phone"],
            "shared": {"above_profiles": 2, "device_namespaces": ["anonymous_id", "idfa"]},
            "size": {"profiles": 50},
            "survivorship": {"city": ["crm", "erp"]},
        }
    )
    assert rules.limit("phone") == Limit(count=2, window="month")
    assert rules.limit("user_id") == Limit(count=1)
    assert rules.limit("loyalty_card") == Limit(count=3)
    assert sorted(["email", "phone", "vat", "user_id"], key=rules.priority) == ["user_id", "phone", "email", "vat"]
    assert rules.shared_above_profiles == 2
    assert rules.device_namespaces == {"anonymous_id", "idfa"}
    assert rules.size == Size(profiles=50)
    assert rules.survivorship == {"city": ("crm", "erp")}
    assert not rules.blocked


def test_blocked_values_are_compared_whole_and_whatever_their_case() -> None:
    blocked = read_rules(
        {
            "blocked": {
                "any": {"values": [" Kiosk "], "patterns": [r"test-\d+"]},
                "email": {"patterns": [r"no-?reply@.*"]},
            }
        }
    ).blocked
    for namespace, value in (
        ("user_id", "KIOSK"),
        ("anonymous_id", "Test-7"),
        ("email", "noreply@example.org"),
        ("email", "no-reply@shop.example"),
    ):
        assert blocked.holds(Identifier(namespace, value)), value
    for namespace, value in (
        ("user_id", "kiosk-1"),
        ("anonymous_id", "a-test-7"),
        ("login", "noreply@example.org"),
    ):
        assert not blocked.holds(Identifier(namespace, value)), value


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"limit": {}}, "Object contains unknown field `limit`"),
        ({"limits": {"email": 0}}, "Expected `int` >= 1 - at `$.limits[...]`"),
        ({"limits": {"email": {"count": 1, "window": "day"}}}, "Invalid enum value 'day' - at `$.limits[...].window`"),
        (
            {"blocked": {"any": {"patterns": ["("]}}},
            "'(' is no regular expression: missing ), unterminated subpattern at position 0",
        ),
        ({"size": {"statements": 3}}, "Expected `int` >= 10 - at `$.size.statements`"),
    ],
)
def test_a_mistake_in_the_rules_is_told_with_its_place(document: dict[str, Any], problem: str) -> None:
    with pytest.raises(UnusableRules) as found:
        read_rules(document)
    assert found.value.message == f"The rules cannot be used: {problem}."


def test_sources_that_there_are_not_are_named_and_nothing_is_set(database_url: str) -> None:
    with connect(database_url, autocommit=True) as connection:
        make_sources(connection, ["crm"])
        with pytest.raises(UnknownSources) as found, connection.transaction():
            set_rules(connection, {"survivorship": {"city": ["crm", "sap", "erp"]}}, actor="test")
        assert found.value.message == "The rules name sources that there are not: erp, sap."
        assert rules_in_force(connection) is DEFAULT_RULES


def test_rules_are_set_and_shown_on_the_command_line(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDP_DATABASE_URL", database_url)
    monkeypatch.setenv("CDP_DATA_DIR", str(tmp_path))
    file = tmp_path / "identity.toml"
    file.write_text('[limits]\nphone = {count = 2, window = "year"}\n[size]\nprofiles = 9\n', encoding="utf-8")
    assert app(["identify", "rules", str(file)], standalone_mode=False) in {None, 0}
    capsys.readouterr()
    app(["identify", "rules"], standalone_mode=False)
    shown = {"limits": {"phone": {"count": 2, "window": "year"}}, "size": {"profiles": 9}}
    assert json.loads(capsys.readouterr().out) == shown
    with connect(database_url, autocommit=True) as connection:
        assert rules_in_force(connection).size == Size(profiles=9)
        actor = connection.execute("SELECT actor FROM identity_rules").fetchone()
        assert actor is not None
        assert actor[0].startswith("operator:")
    app(["identify", "rules", "--default"], standalone_mode=False)
    with connect(database_url, autocommit=True) as connection:
        assert rules_in_force(connection) == DEFAULT_RULES
    file.write_text("limits = 3", encoding="utf-8")
    with pytest.raises(UnusableRules):
        app(["identify", "rules", str(file)], standalone_mode=False)


def test_a_check_on_the_command_line_tells_what_differs_and_fails(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDP_DATABASE_URL", database_url)
    monkeypatch.setenv("CDP_DATA_DIR", str(tmp_path))
    with connect(database_url, autocommit=True) as connection:
        sources = make_sources(connection, ["web"])
        tell(connection, [draft(sources, {"key": "user_id:ana", "says": ["email:ana@example.org"]}, 1)])
        connection.execute("DELETE FROM identifier WHERE namespace = 'email'")
    assert app(["identify", "rebuild", "--check", "--json"], standalone_mode=False) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["differences"], told["mended"], len(told["customers"])) == ({"identifier": 1}, False, 1)
    assert app(["identify", "rebuild"], standalone_mode=False) in {None, 0}
    assert "identifier: 1 mended" in capsys.readouterr().out
    assert app(["identify", "rebuild", "--check"], standalone_mode=False) in {None, 0}
    assert "The customers are what their claims say." in capsys.readouterr().out


def test_the_file_that_the_documentation_shows_is_read_and_names_the_defaults() -> None:
    text = (Path(__file__).parents[2] / "docs" / "identity.md").read_text(encoding="utf-8")
    rules = read_rules(tomllib.loads(text.split("```toml\n", 1)[1].split("```", 1)[0]))
    assert rules.limit("phone") == Limit(count=2, window="year")
    assert rules.blocked.holds(Identifier("email", "test+7@shop.example"))
    for name in ("default_limit", "shared_above_profiles", "device_namespaces", "size"):
        assert getattr(rules, name) == getattr(DEFAULT_RULES, name), name
    for namespace in ("user_id", "email"):
        assert rules.limit(namespace) == DEFAULT_RULES.limit(namespace)


STORY: list[dict[str, Any]] = [
    {
        "source": "crm",
        "key": "crm_id:7",
        "says": ["email:ana@example.org"],
        "traits": {"city": "Lugo", "plan": "gold"},
        "at": 1,
    },
    {
        "source": "shop",
        "key": "shop_id:9",
        "says": ["email:ana@example.org"],
        "traits": {"city": "Vigo", "size": 38},
        "at": 2,
    },
    {
        "source": "web",
        "key": "user_id:ana",
        "says": ["email:ana@example.org"],
        "traits": {"city": "Faro", "plan": None},
        "at": 3,
    },
]


async def test_every_golden_value_says_whose_it_is(database_url: str) -> None:
    with connect(database_url, autocommit=True) as connection:
        _tell_story(connection, {"survivorship": {"city": ["crm"]}})
    document = """{ customers { nodes { traits goldenTraits { nodes {
        name value at source { name } profile { namespace externalId }
    } } } } }"""
    async with open_graph(database_url, "cdp_app") as graph:
        answer = await graph.execute(document, {}, EVERYTHING)
    assert answer.errors == []
    assert answer.data is not None
    (customer,) = answer.data["customers"]["nodes"]
    assert customer["goldenTraits"]["nodes"] == [
        {
            "name": "city",
            "value": "Lugo",
            "at": "2026-01-01T00:01:00+00:00",
            "source": {"name": "crm"},
            "profile": {"namespace": "crm_id", "externalId": "7"},
        },
        {
            "name": "size",
            "value": 38,
            "at": "2026-01-01T00:02:00+00:00",
            "source": {"name": "shop"},
            "profile": {"namespace": "shop_id", "externalId": "9"},
        },
    ]
    assert customer["traits"] == {"city": "Lugo", "size": 38}


async def test_customers_in_quarantine_are_found_and_say_why(database_url: str) -> None:
    with connect(database_url, autocommit=True) as connection:
        _tell_story(connection, {"size": {"profiles": 2}})
    document = """query ($filter: CustomerFilter) { customers(filter: $filter) {
        nodes { profiles { totalCount } quarantined { at reason } }
    } }"""
    async with open_graph(database_url, "cdp_app") as graph:
        asked = {"filter": {"quarantined": {"reason": {"eq": "PROFILES"}, "at": {"gt": "2026-01-01T00:00:00Z"}}}}
        found = (await graph.execute(document, asked, EVERYTHING)).data
        others = (await graph.execute(document, {"filter": {"not": asked["filter"]}}, EVERYTHING)).data
    assert found is not None
    assert others is not None
    quarantined = {"at": "2026-01-01T00:03:00+00:00", "reason": "PROFILES"}
    assert found["customers"]["nodes"] == [{"profiles": {"totalCount": 2}, "quarantined": quarantined}]
    assert others["customers"]["nodes"] == [{"profiles": {"totalCount": 1}, "quarantined": None}]


def _tell_story(connection: Connection[Any], in_force: dict[str, Any]) -> Rules:
    sources = make_sources(connection, ("web", "crm", "shop"), verified=["shop"])
    rules = set_rules(connection, in_force, actor="test")
    tell(connection, [draft(sources, one, number) for number, one in enumerate(STORY)])
    return rules
