"""Functions every table relies on: time-ordered ids, and who the portal is asking for; privileges the API has by default."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """PostgreSQL 18 has uuidv7(); 16 and 17 get the same layout (RFC 9562, millisecond clock, random rest)."""
    connection = op.get_bind()
    version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    body = (
        "SELECT uuidv7()"
        if version >= 180000
        else """SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
            PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
            FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid"""
    )
    op.execute(f"CREATE FUNCTION new_id() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$ {body} $$")
    # After COMMIT a local setting reads '' rather than NULL, hence nullif.
    op.execute("""CREATE FUNCTION current_member() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
        AS $$ SELECT nullif(current_setting('cdp.member_id', true), '')::uuid $$""")
    op.execute(
        "ALTER DEFAULT PRIVILEGES FOR ROLE cdp_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO cdp_app"
    )
    op.execute("GRANT USAGE ON SCHEMA public TO cdp_app, cdp_portal")
    op.execute("GRANT SELECT ON alembic_version TO cdp_app, cdp_portal")
