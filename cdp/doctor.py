"""`cdp doctor`'s examination: settings, database, migrations, roles, walls, clock, keys, each with what to mend.

It changes nothing. A check that cannot be made because an earlier one failed is left out, so the first failure is the
one to mend first.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import psycopg
from psycopg import Connection

from cdp.db.engine import conninfo
from cdp.db.migrate import head
from cdp.db.statements import load_statements
from cdp.limits import read_rate
from cdp.settings import Settings, unknown_variables

OLDEST_SERVER: Final = 160000
CLOCK_SKEW_WARN: Final = timedelta(seconds=1)
CLOCK_SKEW_FAIL: Final = timedelta(seconds=10)
KEY_AGE_WARN_DAYS: Final = 180
_STATEMENTS: Final = load_statements("cdp", "doctor.sql")

State = Literal["ok", "warn", "fail"]
AnyConnection = Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the examination; `mend` is empty when there is nothing to do."""

    check: str
    state: State
    told: str
    mend: str = ""


def examine(settings: Settings, url: str, *, portal_url: str | None = None) -> Iterator[Finding]:
    """Findings in the order in which to mend them. Opens one connection to each URL."""
    yield from examine_settings(settings)
    try:
        with psycopg.connect(conninfo(url, None), autocommit=True) as connection:
            yield from examine_database(connection, is_production=settings.is_production)
    except psycopg.Error as error:
        yield _unreachable("database", error, "Start PostgreSQL, or mend CDP_DATABASE_URL.")
        return
    if portal_url is not None:
        yield from examine_portal_login(portal_url)


def examine_settings(settings: Settings) -> Iterator[Finding]:
    """Settings that are allowed but perhaps not meant."""
    yield Finding(check="settings", state="ok", told=f"{settings.env}; API at {settings.public_url}")
    for name in unknown_variables():
        yield Finding(check="settings", state="warn", told=f"{name} is not a setting", mend="Unset it if it was meant.")
    if not settings.is_production:
        yield Finding(
            check="settings",
            state="warn",
            told="development: generated key, plain http and demo users are allowed",
            mend="Set CDP_ENV=production where real customers' data live.",
        )
    for name in ("rate_graphql_tool", "rate_graphql_member", "rate_token", "rate_exports", "rate_invites"):
        if read_rate(getattr(settings, name)) is None:
            told = f"CDP_{name.upper()} is off: nothing bounds how much is asked in a while"
            yield Finding(check="rates", state="warn", told=told, mend="Set a rate, such as the default.")
    if settings.smtp_url is None:
        yield Finding(
            check="mail", state="warn", told="no outgoing mail: invitations are not sent", mend="Set CDP_SMTP_URL."
        )


def examine_database(connection: AnyConnection, *, is_production: bool) -> Iterator[Finding]:
    """Server, clock, roles, migrations, walls, keys, failed messages, webhooks, seen through one connection."""
    asked = time.time()
    version, server_clock, login = _row(connection, "server")
    answered = time.time()
    yield _server(version)
    yield _clock(server_clock, datetime.fromtimestamp((asked + answered) / 2, tz=UTC))
    roles = {row[0]: row[1:] for row in connection.execute(_STATEMENTS["roles"])}
    yield from _roles(roles, login=login)
    if is_production and _row(connection, "session_superuser")[0]:
        yield Finding(
            check="roles",
            state="warn",
            told=f"the login {login} is a superuser",
            mend="Give CDP_DATABASE_URL the login cdp_app; only `cdp migrate` needs more.",
        )
    migrations = _migrations(connection)
    yield migrations
    if migrations.state == "fail" or len(roles) < len(_WANTED_ROLES):
        return
    yield _walls(connection)
    yield _grants(connection)
    yield _keys(connection)
    yield _failed_messages(connection)
    yield _webhooks(connection)


def examine_portal_login(url: str) -> Iterator[Finding]:
    """The extranet's login: may be the portal, and nothing above it."""
    try:
        with psycopg.connect(conninfo(url, "cdp_portal"), autocommit=True) as connection:
            _, _, login = _row(connection, "server")
            above = [row[0] for row in connection.execute(_STATEMENTS["roles"]) if row[4] and row[0] != "cdp_portal"]
    except psycopg.Error as error:
        yield _unreachable("portal", error, "Mend CDP_PORTAL_DATABASE_URL; `cdp migrate` sets the login's password.")
        return
    if above:
        yield Finding(
            check="portal",
            state="fail",
            told=f"the extranet's login {login} may also act as {' and '.join(sorted(above))}",
            mend="Use the login cdp_portal in CDP_PORTAL_DATABASE_URL.",
        )
    else:
        yield Finding(check="portal", state="ok", told=f"the extranet signs in as {login}, which is the portal only")


# Role → (may sign in, is superuser, bypasses row-level security); None where either is fine.
_WANTED_ROLES: Final[dict[str, tuple[Literal[False] | None, bool, bool]]] = {
    "cdp_owner": (False, False, False),
    "cdp_app": (None, False, False),
    "cdp_portal": (None, False, False),
}


def _server(version: int) -> Finding:
    told = f"PostgreSQL {version // 10000}.{version % 10000}"
    if version < OLDEST_SERVER:
        return Finding(check="database", state="fail", told=told, mend="Use PostgreSQL 16 or newer.")
    return Finding(check="database", state="ok", told=told)


def _clock(server: datetime, ours: datetime) -> Finding:
    skew = abs(server - ours)
    told = f"{skew.total_seconds():.2f} s between this machine and the database"
    if skew <= CLOCK_SKEW_WARN:
        return Finding(check="clock", state="ok", told=told)
    state: State = "fail" if skew > CLOCK_SKEW_FAIL else "warn"
    return Finding(check="clock", state=state, told=told, mend="Run NTP on both: tokens and sessions go by the clock.")


def _roles(roles: dict[str, tuple[bool, bool, bool, bool]], *, login: str) -> Iterator[Finding]:
    for name, (may_sign_in, superuser, bypasses) in _WANTED_ROLES.items():
        if name not in roles:
            yield Finding(check="roles", state="fail", told=f"{name} is missing", mend="Run `cdp migrate`.")
            continue
        wrong = [
            f"{'is' if is_so else 'is not'} {attribute}"
            for attribute, is_so, wanted in zip(
                ("LOGIN", "SUPERUSER", "BYPASSRLS"), roles[name][:3], (may_sign_in, superuser, bypasses), strict=True
            )
            if wanted is not None and is_so != wanted
        ]
        if wrong:
            yield Finding(
                check="roles",
                state="fail",
                told=f"{name} {' and '.join(wrong)}",
                mend=f"ALTER ROLE {name} NOSUPERUSER NOBYPASSRLS{'' if may_sign_in is None else ' NOLOGIN'};",
            )
    if "cdp_app" in roles and not roles["cdp_app"][3]:
        yield Finding(
            check="roles", state="fail", told=f"{login} may not act as cdp_app", mend=f"GRANT cdp_app TO {login};"
        )
    elif all(name in roles for name in _WANTED_ROLES):
        yield Finding(check="roles", state="ok", told="cdp_owner, cdp_app and cdp_portal are there")


def _migrations(connection: AnyConnection) -> Finding:
    try:
        (revision,) = _row(connection, "revision")
    except (psycopg.errors.UndefinedTable, LookupError):
        return Finding(check="migrations", state="fail", told="never run", mend="Run `cdp migrate`.")
    except psycopg.errors.InsufficientPrivilege:
        return Finding(
            check="migrations", state="fail", told="the login may not look", mend="GRANT cdp_app to the login."
        )
    if revision != head():
        told = f"at {revision}, this version needs {head()}"
        return Finding(check="migrations", state="fail", told=told, mend="Run `cdp migrate`.")
    return Finding(check="migrations", state="ok", told=f"at {revision}")


def _walls(connection: AnyConnection) -> Finding:
    open_tables = [row[0] for row in connection.execute(_STATEMENTS["unwalled"])]
    if open_tables:
        return Finding(
            check="walls",
            state="fail",
            told=f"the portal reads {', '.join(open_tables)} without a forced policy",
            mend="REVOKE SELECT … FROM cdp_portal, or ENABLE and FORCE ROW LEVEL SECURITY with a policy.",
        )
    (readable,) = _row(connection, "readable")
    return Finding(check="walls", state="ok", told=f"forced row-level security on all {readable} tables of the portal")


def _grants(connection: AnyConnection) -> Finding:
    missing = [row[0] for row in connection.execute(_STATEMENTS["ungranted"])]
    if missing:
        return Finding(
            check="grants",
            state="fail",
            told=f"cdp_app may not read and write {', '.join(missing)}",
            mend="GRANT SELECT, INSERT, UPDATE, DELETE … TO cdp_app; migrations must run as cdp_owner.",
        )
    return Finding(check="grants", state="ok", told="cdp_app reads and writes every table")


def _keys(connection: AnyConnection) -> Finding:
    count, age_days = _row(connection, "signing_keys")
    if not count:
        return Finding(
            check="keys", state="warn", told="no signing key yet", mend="`cdp serve` makes one at its start."
        )
    told = f"{count} signing, the youngest {age_days} days old"
    if age_days > KEY_AGE_WARN_DAYS:
        return Finding(check="keys", state="warn", told=told, mend="Rotate the signing key.")
    return Finding(check="keys", state="ok", told=told)


def _failed_messages(connection: AnyConnection) -> Finding:
    (count,) = _row(connection, "failed_messages")
    if count:
        told = f"{count} messages could not be applied"
        mend = "`cdp failed list` shows them; mend the cause, then `cdp failed replay`."
        return Finding(check="inbox", state="warn", told=told, mend=mend)
    return Finding(check="inbox", state="ok", told="no failed message")


def _webhooks(connection: AnyConnection) -> Finding:
    disabled, failing, dead = _row(connection, "webhooks")
    if disabled or failing or dead:
        return Finding(
            check="webhooks",
            state="warn",
            told=f"{failing} failing, {disabled} disabled because they did, {dead} with dead letters",
            mend="Look with `cdp webhook list` and `cdp webhook deliveries`; enable, replay.",
        )
    return Finding(check="webhooks", state="ok", told="every endpoint takes what it gets")


def _unreachable(check: str, error: psycopg.Error, mend: str) -> Finding:
    first_line = (str(error).strip().splitlines() or ["no answer"])[0]
    return Finding(check=check, state="fail", told=first_line, mend=mend)


def _row(connection: AnyConnection, statement: str) -> tuple[Any, ...]:
    row = connection.execute(_STATEMENTS[statement]).fetchone()
    if row is None:
        raise LookupError(statement)
    return row
