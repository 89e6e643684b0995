#!/bin/sh
# Runs once, when the volume is new: the two logins of the product. `migrate` makes the rest.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set app_password="$CDP_APP_PASSWORD" --set portal_password="$CDP_PORTAL_PASSWORD" <<'SQL'
CREATE ROLE cdp_app LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'app_password';
CREATE ROLE cdp_portal LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'portal_password';
SQL
