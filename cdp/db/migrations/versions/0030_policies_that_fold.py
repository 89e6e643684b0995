"""Policies of accounts and ledgers compare with a function that is inlined, no longer with a sub-select of one.

A sub-select is a plan of its own for each table of a statement, and again for each of its sub-selects; started each time, also
where nothing is read. The bare function is folded into what the query asks for itself: where that names the account, it becomes
a filter that is looked at once (decision 0026). The ledger's asks for role and account at once.
"""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

OF_THE_ACCOUNT = ("account", "sales_order", "order_line", "order_event", "shipment", "shipment_line")
OF_THE_LEDGER = ("ledger_entry", "allocation", "dispute")

FUNCTION = """
-- The account whose ledger whoever reads may see.
CREATE FUNCTION current_ledger_account() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN current_setting('cdp.member_role', true) IN ('finance', 'client_admin')
        THEN nullif(current_setting('cdp.account_id', true), '')::uuid END
$$;
REVOKE EXECUTE ON FUNCTION current_ledger_account() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION current_ledger_account() TO cdp_portal, cdp_app;
"""


def upgrade() -> None:
    """The function, and the policies that call it and `current_account`."""
    op.execute(FUNCTION)
    for table in OF_THE_ACCOUNT:
        op.execute(f"ALTER POLICY member_sees_own_account ON {table} USING (account_id = current_account())")
    for table in OF_THE_LEDGER:
        op.execute(f"ALTER POLICY finance_sees_own_ledger ON {table} USING (account_id = current_ledger_account())")
