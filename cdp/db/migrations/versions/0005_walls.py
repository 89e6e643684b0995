"""Row-level security: what the portal may read, and nothing else.

The portal plays a member in an account; both come from settings of the transaction, and count only while the membership
exists. Policies call STABLE functions inside a sub-select, so that they run once a statement and index scans stay possible.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OF_THE_ACCOUNT = ("account", "sales_order", "order_line", "order_event", "shipment", "shipment_line")
OF_THE_LEDGER = ("ledger_entry", "allocation", "dispute")

FUNCTIONS = """
CREATE FUNCTION current_account() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT account_id FROM membership
    WHERE account_id = nullif(current_setting('cdp.account_id', true), '')::uuid AND member_id = current_member()
$$;
CREATE FUNCTION current_member_role() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT role FROM membership
    WHERE account_id = nullif(current_setting('cdp.account_id', true), '')::uuid AND member_id = current_member()
$$;
CREATE FUNCTION current_visible_customers() RETURNS uuid[] LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT array_agg(visible.customer_id)
    FROM (
        SELECT account.customer_id FROM account WHERE account.account_id = current_account()
        UNION
        SELECT affiliation.person_customer_id FROM account JOIN affiliation USING (customer_id)
        WHERE account.account_id = current_account()
    ) AS visible
$$;
"""


def upgrade() -> None:
    """Enable and force policies on every table the portal can read; grant it just those."""
    op.execute(FUNCTIONS)
    for table in (*OF_THE_ACCOUNT, *OF_THE_LEDGER, "customer", "staff"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY company_sees_all ON {table} TO cdp_owner, cdp_app USING (true) WITH CHECK (true)")
    for table in OF_THE_ACCOUNT:
        op.execute(f"""CREATE POLICY member_sees_own_account ON {table} FOR SELECT TO cdp_portal
            USING (account_id = (SELECT current_account()))""")
        op.execute(f"GRANT SELECT ON {table} TO cdp_portal")
    for table in OF_THE_LEDGER:
        op.execute(f"""CREATE POLICY finance_sees_own_ledger ON {table} FOR SELECT TO cdp_portal
            USING (account_id = (SELECT current_account()) AND (SELECT current_member_role()) IN ('finance', 'client_admin'))""")
        op.execute(f"GRANT SELECT ON {table} TO cdp_portal")
    op.execute("""CREATE POLICY member_sees_holder_and_contacts ON customer FOR SELECT TO cdp_portal
        USING (customer_id = ANY ((SELECT current_visible_customers())::uuid[]))""")
    op.execute("GRANT SELECT (customer_id, kind, name) ON customer TO cdp_portal")
    op.execute("""CREATE POLICY member_sees_account_manager ON staff FOR SELECT TO cdp_portal
        USING (staff_id IN (SELECT manager_staff_id FROM account WHERE account_id = (SELECT current_account())))""")
    op.execute("GRANT SELECT ON staff TO cdp_portal")
