"""Cases move with their account, and their state follows from what was written in them."""

from uuid import UUID

from cdp.db.engine import connect
from cdp.db.locks import hold_customers_exclusive
from cdp.ledger.queries import move_accounts
from tests.extranet.business import record_business


def test_a_case_moves_with_its_account_once_and_is_told_once(database_url: str) -> None:
    with connect(database_url) as connection:
        business = record_business(connection, issuer="https://issuer.example")
        hold_customers_exclusive(connection)
        account_id = business.accounts["K-1001"]
        row = connection.execute("SELECT customer_id FROM account WHERE account_id = %s", [account_id]).fetchone()
        assert row
        connection.execute(
            """INSERT INTO notice (customer_id, account_id, kind, topic, subject_id, recipient, recipient_id, send_at)
            VALUES (%s, %s, 'case_answered', 'cases', new_id(), 'member', new_id(), now())""",
            [row[0], account_id],
        )
        contacts = connection.execute("SELECT count(*) FROM interaction").fetchone()
        home = UUID(int=7)
        move_accounts(connection, [(account_id, row[0], home)])
        for table in ("customer_case", "case_message", "case_file", "notice"):
            moved = connection.execute(
                f"SELECT DISTINCT customer_id FROM {table} WHERE account_id = %s".encode(), [account_id]
            ).fetchall()
            assert moved == [(home,)], table
        assert connection.execute("SELECT count(*) FROM interaction").fetchone() == contacts
        # A message that was told is not told again, whoever asks.
        connection.execute("SELECT case_message_told(message_id, current_date, 1, 1) FROM case_message")
        assert connection.execute("SELECT count(*) FROM interaction").fetchone() == contacts
