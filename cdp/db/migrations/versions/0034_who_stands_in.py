"""When somebody of the staff is away, and who stands in: on the account manager's card, and for letters about cases meanwhile.

Members see the manager of their account, and who stands in for them now or will.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

FUNCTIONS = """
-- Who is written to for somebody on a day: themself; or who stands in, while they are away and the other isn't, and is with us.
CREATE FUNCTION stands_in(given uuid, today date) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT deputy.staff_id FROM staff AS away JOIN staff AS deputy ON deputy.staff_id = away.deputy_staff_id
        WHERE away.staff_id = given AND today BETWEEN away.away_from_on AND away.away_to_on AND deputy.disabled_at IS NULL
            AND (today BETWEEN deputy.away_from_on AND deputy.away_to_on) IS NOT TRUE),
        given)
$$;
-- The manager of the current account, and who stands in for them: today or later, by any time zone's date.
CREATE FUNCTION current_managers() RETURNS uuid[] LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT array_agg(seen.staff_id) FROM account
        JOIN staff AS manager ON manager.staff_id = account.manager_staff_id
        JOIN staff AS seen ON seen.staff_id = manager.staff_id
            OR (seen.staff_id = manager.deputy_staff_id AND manager.away_to_on >= current_date - 1 AND seen.disabled_at IS NULL)
    WHERE account.account_id = current_account()
$$;
"""


def upgrade() -> None:
    """Columns, functions, then the policy of members."""
    op.add_column("staff", sa.Column("away_from_on", sa.Date(), comment="First day away, by the seller's date"))
    op.add_column("staff", sa.Column("away_to_on", sa.Date(), comment="Last day away"))
    op.add_column("staff", sa.Column("deputy_staff_id", sa.Uuid(), comment="Who stands in meanwhile"))
    op.create_check_constraint(
        op.f("staff_absence_is_whole"),
        "staff",
        "(away_from_on IS NULL) = (away_to_on IS NULL) AND (away_to_on IS NULL) = (deputy_staff_id IS NULL)",
    )
    op.create_check_constraint(op.f("staff_absence_ends_after_it_begins"), "staff", "away_from_on <= away_to_on")
    op.create_check_constraint(op.f("staff_somebody_else_stands_in"), "staff", "deputy_staff_id <> staff_id")
    op.execute(FUNCTIONS)
    for signature, roles in (("stands_in(uuid, date)", "cdp_app"), ("current_managers()", "cdp_portal, cdp_app")):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO {roles}")
    op.execute("""ALTER POLICY member_sees_account_manager ON staff
        USING (staff_id = ANY ((SELECT current_managers())::uuid[]))""")
    op.execute("GRANT SELECT (away_from_on, away_to_on, deputy_staff_id, disabled_at) ON staff TO cdp_portal")
