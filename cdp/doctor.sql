-- name: server
-- Version number (180001), the server's clock, and who we are signed in as.
SELECT current_setting('server_version_num')::int, clock_timestamp(), session_user::text;

-- name: roles
-- The product's roles: may sign in, is superuser, bypasses row-level security, and whether we may act as it.
SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, pg_has_role(session_user, oid, 'MEMBER')
FROM pg_roles WHERE rolname IN ('cdp_owner', 'cdp_app', 'cdp_portal');

-- name: session_superuser
-- Whether the login we were given is a superuser.
SELECT rolsuper FROM pg_roles WHERE rolname = session_user;

-- name: unwalled
-- Relations that the portal can read although no forced policy confines it: tables without forced row-level security,
-- views that run as their owner, materialised views. The migration's number is not a secret.
SELECT relname
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
    AND (has_table_privilege('cdp_portal', oid, 'SELECT') OR has_any_column_privilege('cdp_portal', oid, 'SELECT'))
    AND CASE
        WHEN relkind IN ('r', 'p') THEN NOT (relrowsecurity AND relforcerowsecurity)
        WHEN relkind = 'v' THEN NOT coalesce('security_invoker=true' = ANY (reloptions), false)
        ELSE relkind IN ('m', 'f')
    END
ORDER BY relname;

-- name: readable
-- How many tables the portal can read.
SELECT count(*)
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'alembic_version'
    AND (has_table_privilege('cdp_portal', oid, 'SELECT') OR has_any_column_privilege('cdp_portal', oid, 'SELECT'));

-- name: ungranted
-- Tables of ours that the application may not read and write.
SELECT relname
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relowner = to_regrole('cdp_owner')
    AND relname <> 'alembic_version'
    AND NOT (has_table_privilege('cdp_app', oid, 'SELECT') AND has_table_privilege('cdp_app', oid, 'INSERT'))
ORDER BY relname;

-- name: revision
-- The migration the database is at.
SELECT version_num FROM alembic_version;

-- name: signing_keys
-- Keys that sign now, and the age of the youngest in days.
SELECT count(*), coalesce(extract(day FROM now() - max(created_at)), 0)::int FROM signing_key WHERE retired_at IS NULL;

-- name: failed_messages
-- Messages that a person should look at.
SELECT count(*) FROM failed_message;

-- name: webhooks
-- Endpoints that were disabled because they failed, those that fail now, and those that have dead letters.
SELECT
    count(*) FILTER (WHERE disabled_reason IN ('failing', 'gone')),
    count(*) FILTER (WHERE state = 'enabled' AND failing_since IS NOT NULL),
    count(*) FILTER (WHERE EXISTS (
        SELECT FROM webhook_delivery AS delivery
        WHERE delivery.endpoint_id = endpoint.endpoint_id AND delivery.state = 'dead' AND delivery.kind <> 'webhook.test'
    ))
FROM webhook_endpoint AS endpoint;
