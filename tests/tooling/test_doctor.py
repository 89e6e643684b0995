"""Each thing that can be wrong with an installation is broken once; the doctor names it and says what to mend.

What is broken lives in a transaction that is rolled back, so that roles of the whole server stay as they are.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection
from typer.testing import CliRunner

from cdp import doctor
from cdp.cli import app
from cdp.db.migrate import head
from cdp.doctor import Finding, examine, examine_database, examine_portal_login
from cdp.settings import Settings

AnyConnection = Connection[tuple[object, ...]]

MAKE_KEY = (
    """INSERT INTO signing_key (kid, algorithm, public_jwk, sealed_private_jwk) VALUES ('k', 'ES256', '{}', '')"""
)


@pytest.fixture
def connection(shared_database_url: str) -> Iterator[AnyConnection]:
    with psycopg.connect(shared_database_url) as opened:
        yield opened
        opened.rollback()


def failures(connection: AnyConnection) -> list[tuple[str, str, str]]:
    found = examine_database(connection, is_production=False)
    return [(finding.check, finding.told, finding.mend) for finding in found if finding.state == "fail"]


def test_a_sound_database_has_nothing_to_mend(connection: AnyConnection) -> None:
    connection.execute(MAKE_KEY)
    found = list(examine_database(connection, is_production=False))
    assert [(finding.check, finding.state, finding.mend) for finding in found] == [
        (check, "ok", "")
        for check in ("database", "clock", "roles", "migrations", "walls", "grants", "keys", "inbox", "webhooks")
    ]


@pytest.mark.parametrize(
    ("breakage", "failure"),
    [
        (
            "ALTER ROLE cdp_portal BYPASSRLS",
            ("roles", "cdp_portal is BYPASSRLS", "ALTER ROLE cdp_portal NOSUPERUSER NOBYPASSRLS;"),
        ),
        (
            "ALTER ROLE cdp_app SUPERUSER",
            ("roles", "cdp_app is SUPERUSER", "ALTER ROLE cdp_app NOSUPERUSER NOBYPASSRLS;"),
        ),
        (
            "ALTER ROLE cdp_owner LOGIN",
            ("roles", "cdp_owner is LOGIN", "ALTER ROLE cdp_owner NOSUPERUSER NOBYPASSRLS NOLOGIN;"),
        ),
        (
            "UPDATE alembic_version SET version_num = '0001'",
            ("migrations", f"at 0001, this version needs {head()}", "Run `cdp migrate`."),
        ),
        (
            "REVOKE INSERT ON inbox FROM cdp_app",
            (
                "grants",
                "cdp_app may not read and write inbox",
                "GRANT SELECT, INSERT, UPDATE, DELETE … TO cdp_app; migrations must run as cdp_owner.",
            ),
        ),
    ],
)
def test_what_is_broken_is_named(connection: AnyConnection, breakage: str, failure: tuple[str, str, str]) -> None:
    connection.execute(breakage.encode())
    assert failures(connection) == [failure]


@pytest.mark.parametrize(
    ("breakage", "name"),
    [
        ("GRANT SELECT ON inbox TO cdp_portal", "inbox"),
        ("GRANT SELECT (value) ON identifier TO cdp_portal", "identifier"),
        ("ALTER TABLE account NO FORCE ROW LEVEL SECURITY", "account"),
        ("ALTER TABLE account DISABLE ROW LEVEL SECURITY", "account"),
        ("CREATE VIEW leak AS SELECT * FROM inbox; GRANT SELECT ON leak TO cdp_portal", "leak"),
        ("CREATE MATERIALIZED VIEW leak AS SELECT 1; GRANT SELECT ON leak TO cdp_portal", "leak"),
    ],
)
def test_a_hole_in_the_wall_is_named(connection: AnyConnection, breakage: str, name: str) -> None:
    connection.execute(breakage.encode())
    ((check, told, _),) = failures(connection)
    assert (check, told) == ("walls", f"the portal reads {name} without a forced policy")


def test_a_view_with_the_invokers_rights_is_no_hole(connection: AnyConnection) -> None:
    connection.execute("CREATE VIEW fine WITH (security_invoker=true) AS SELECT * FROM account")
    connection.execute("GRANT SELECT ON fine TO cdp_portal")
    assert failures(connection) == []


def test_a_missing_key_and_failed_messages_are_warnings(connection: AnyConnection) -> None:
    connection.execute("INSERT INTO inbox (source_id, message_id, lane, body) VALUES (gen_random_uuid(), 'm', 0, '{}')")
    connection.execute(
        "INSERT INTO failed_message (source_id, message_id, stage, code, error)"
        " SELECT source_id, message_id, 'decode', 'x', 'x' FROM inbox"
    )
    found = examine_database(connection, is_production=False)
    assert [(finding.check, finding.told) for finding in found if finding.state == "warn"] == [
        ("keys", "no signing key yet"),
        ("inbox", "1 messages could not be applied"),
    ]


def test_a_superuser_login_is_a_warning_in_production(connection: AnyConnection) -> None:
    told = {finding.told for finding in examine_database(connection, is_production=True) if finding.state == "warn"}
    assert "the login postgres is a superuser" in told


def test_a_database_without_migrations_is_told_so(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP TABLE alembic_version")
        assert failures(connection) == [("migrations", "never run", "Run `cdp migrate`.")]


def test_the_portals_login_is_the_portal_only(shared_database_url: str) -> None:
    portal_url = shared_database_url.replace("postgres@", "cdp_portal@")
    (sound,) = examine_portal_login(portal_url)
    assert (sound.state, sound.told) == ("ok", "the extranet signs in as cdp_portal, which is the portal only")
    (unsound,) = examine_portal_login(shared_database_url)
    assert unsound.state == "fail"
    assert unsound.told == "the extranet's login postgres may also act as cdp_app and cdp_owner"


@pytest.mark.parametrize(
    ("skew", "state"), [(timedelta(milliseconds=900), "ok"), (timedelta(seconds=2), "warn"), (timedelta(0, 11), "fail")]
)
def test_clocks_may_differ_by_a_second(skew: timedelta, state: str) -> None:
    now = datetime.now(UTC)
    assert doctor._clock(now - skew, now).state == doctor._clock(now, now - skew).state == state


def test_postgresql_15_is_too_old() -> None:
    assert doctor._server(150018) == Finding(
        check="database", state="fail", told="PostgreSQL 15.18", mend="Use PostgreSQL 16 or newer."
    )


def test_a_database_that_does_not_answer_ends_the_examination() -> None:
    *_, last = examine(Settings(), "postgresql://nobody:hunter2@127.0.0.1:1/nothing")
    assert (last.check, last.state, last.mend) == (
        "database",
        "fail",
        "Start PostgreSQL, or mend CDP_DATABASE_URL.",
    )
    assert "hunter2" not in last.told


def test_the_command_answers_programs_and_fails_when_a_check_fails(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CDP_DATABASE_URL", database_url)
    monkeypatch.setenv("CDP_DATA_DIR", str(tmp_path))
    sound = CliRunner().invoke(app, ["doctor", "--json"])
    assert sound.exit_code == 0, sound.output
    assert {finding["check"] for finding in json.loads(sound.stdout)} >= {"settings", "database", "walls", "keys"}
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE account NO FORCE ROW LEVEL SECURITY")
    unsound = CliRunner().invoke(app, ["doctor"])
    assert unsound.exit_code == 1
    assert "the portal reads account" in " ".join(unsound.stdout.split())
