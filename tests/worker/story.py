"""What every SDK tells in its test, and the graph it must end as: seven calls about Ana, her two devices and her firm."""

from cdp.db.engine import connect

CALLS = 7


def check_story(database_url: str) -> None:
    """All seven calls arrived once, and mean what they should."""
    with connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM inbox").fetchone() == (CALLS,)
        assert connection.execute("SELECT count(*) FROM failed_message").fetchone() == (0,)
        people = connection.execute(
            """SELECT customer.name, email, customer.kind, array_agg(key_value ORDER BY key_value) FROM customer
            JOIN profile USING (customer_id) GROUP BY customer.customer_id ORDER BY customer.name"""
        ).fetchall()
        assert people == [
            ("Acme", None, "organisation", ["acme"]),
            ("Ana", "ana@example.org", "person", ["a1", "a2", "u1"]),
        ]
        contacts = connection.execute(
            """SELECT interaction.kind, interaction.name, topic, product, occurred_at::text FROM interaction
            JOIN customer USING (customer_id) WHERE customer.name = 'Ana' ORDER BY occurred_at"""
        ).fetchall()
        assert contacts == [
            ("page", "Home", None, None, "2026-03-01 10:00:00+00"),
            ("track", "Product Viewed", "Books", "p1", "2026-03-01 10:02:00+00"),
            ("screen", "Phone home", None, None, "2026-03-01 10:04:00+00"),
            ("page", "Elsewhere", None, None, "2026-03-01 10:05:00+00"),
        ]
        belongs = connection.execute(
            """SELECT person.name, organisation.name FROM affiliation
            JOIN customer AS person ON person.customer_id = person_customer_id
            JOIN customer AS organisation ON organisation.customer_id = affiliation.customer_id"""
        ).fetchall()
        assert belongs == [("Ana", "Acme")]
