"""Bring a database to the head of the migrations: roles first, then tables, owned by `cdp_owner`.

Migrations run as `cdp_owner`; only making the roles needs more (CREATEROLE or superuser), and only once.
"""

from importlib import resources
from typing import LiteralString

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from cdp.db.engine import conninfo

_MAKE_ROLES: LiteralString = """
DO $$
BEGIN
    IF to_regrole('cdp_owner') IS NULL THEN CREATE ROLE cdp_owner NOLOGIN; END IF;
    IF to_regrole('cdp_app') IS NULL THEN CREATE ROLE cdp_app LOGIN NOSUPERUSER NOBYPASSRLS; END IF;
    IF to_regrole('cdp_portal') IS NULL THEN CREATE ROLE cdp_portal LOGIN NOSUPERUSER NOBYPASSRLS; END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- another migration of the same cluster was faster
END $$
"""


def migrate(url: str, *, portal_url: str | None = None) -> str:
    """Make the roles, run every pending migration in one transaction, and return the head revision.

    `portal_url`: when it signs in as `cdp_portal` with a password, that password is set. Safe to run twice and from two places.
    """
    with psycopg.connect(conninfo(url, None)) as connection:
        connection.execute(_MAKE_ROLES)
        connection.execute("GRANT cdp_owner, cdp_app, cdp_portal TO CURRENT_USER")
        connection.execute("GRANT USAGE, CREATE ON SCHEMA public TO cdp_owner")
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")  # trusted: whoever owns the database may
        portal = conninfo_to_dict(portal_url) if portal_url else {}
        if portal.get("user") == "cdp_portal" and portal.get("password"):
            password = sql.Literal(str(portal["password"]))
            connection.execute(sql.SQL("ALTER ROLE cdp_portal PASSWORD {}").format(password))
    config = _config()
    with _engine(url).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return head()


def head() -> str:
    """The newest revision this program knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None  # noqa: S101 — the package ships its migrations
    return revision


def current(url: str) -> str | None:
    """The revision the database is at; None when it was never migrated."""
    with _engine(url).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("cdp.db") / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _engine(url: str) -> Engine:
    return create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo(url, "cdp_owner")), poolclass=NullPool
    )
