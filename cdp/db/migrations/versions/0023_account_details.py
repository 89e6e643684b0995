"""Where a client's invoices and goods go, and which bank they are known by: shown to them, changed by request.

Of a bank account only the end is kept: nothing here pays, and what isn't kept can't be lost.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    envelope = "As written on an envelope, lines apart"
    ending = "Last four characters of the account with it; no more is kept"
    op.add_column("account", sa.Column("billing_address", sa.Text(), comment=envelope))
    op.add_column("account", sa.Column("delivery_address", sa.Text(), comment=envelope))
    op.add_column("account", sa.Column("bank_name", sa.Text(), comment="The bank we know the client by"))
    op.add_column("account", sa.Column("bank_account_ending", sa.Text(), comment=ending))
    op.create_check_constraint(op.f("account_bank_account_is_masked"), "account", "length(bank_account_ending) <= 4")
