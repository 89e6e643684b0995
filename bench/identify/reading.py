"""A reader beside the work, a process of its own: asks for customers one after the other and tells how long each took.

Asks for the two that are being merged as often as for others. Stops when a line comes in; prints {"latencies_ms": […]}.
"""

import json
import select
import sys
import time
from itertools import cycle

from cdp.db.engine import connect

QUESTION = """
    SELECT row_to_json(one) FROM (
        SELECT customer.name, customer.email,
            (SELECT json_agg(each) FROM (SELECT namespace, value FROM customer_identifier AS i
                WHERE i.customer_id = customer.customer_id ORDER BY 1, 2 LIMIT 20) AS each) AS identifiers,
            (SELECT json_agg(each) FROM (SELECT name, occurred_at FROM interaction AS i
                WHERE i.customer_id = customer.customer_id ORDER BY occurred_at DESC LIMIT 20) AS each) AS interactions
        FROM customer WHERE customer.customer_id = coalesce(
            (SELECT target_customer_id FROM customer_redirect WHERE customer_redirect.customer_id = %(id)s), %(id)s)
    ) AS one"""


def main() -> None:
    """Read until told to stop."""
    latencies: list[float] = []
    with connect(sys.argv[1], None, autocommit=True) as connection:
        ids = [row[0] for row in connection.execute("SELECT customer_id FROM customer ORDER BY 1 LIMIT 200")]
        asked = cycle([each for other in ids[2:] for each in (other, ids[0], other, ids[1])])
        for one in ids[:20]:
            connection.execute(QUESTION, {"id": one}, prepare=True).fetchone()
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            began = time.perf_counter()
            found = connection.execute(QUESTION, {"id": next(asked)}, prepare=True).fetchone()
            assert found is not None
            latencies.append((time.perf_counter() - began) * 1000)
            time.sleep(0.001)
    print(json.dumps({"latencies_ms": latencies}))


if __name__ == "__main__":
    main()
