"""What the doors ask is found by index, whatever the tables were like when PostgreSQL made the plan that it keeps."""

import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from cdp.access.people import create_client
from cdp.access.viewer import READ_SCOPES
from cdp.app import create_app
from cdp.db.engine import connect
from cdp.settings import Settings
from cdp.worker import drain
from tests.ingest.door import make_sender
from tests.live import client, serve
from tests.worker.inbox import put

DOCUMENT = '{ recognise(identifiers: [{namespace: "anonymous_id", value: "a"}]) { id } }'
SCANS = "SELECT seq_scan, coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'waiting_message'"


def over_http(http: httpx2.Client, headers: dict[str, str]) -> httpx2.Response:
    return http.get("/v1/recognise?anonymous_id=a", headers=headers)


def over_graphql(http: httpx2.Client, headers: dict[str, str]) -> httpx2.Response:
    return http.post("/graphql", json={"query": DOCUMENT}, headers=headers)


@pytest.mark.parametrize("ask", [over_http, over_graphql])
def test_recognising_reads_what_waits_by_index_though_nothing_waited_when_it_was_planned(
    database_url: str, tmp_path: Path, ask: Callable[[httpx2.Client, dict[str, str]], httpx2.Response]
) -> None:
    """Reading all of an empty table is cheapest; and then it is full of what waits, or of what waited."""
    sender = make_sender(database_url, "shop")
    put(database_url, sender.source_id, [{"type": "page", "anonymousId": "a"}])
    drain(database_url)
    with connect(database_url) as connection:
        tool = create_client(connection, name="Desk", scopes=READ_SCOPES)
    with connect(database_url, None, autocommit=True) as admin:
        admin.execute("VACUUM waiting_message")
        before = admin.execute(SCANS).fetchone()
        settings = Settings(database_url=database_url, data_dir=tmp_path, secret_key="s" * 48)
        with serve(create_app(settings)) as url, client(url) as http:
            auth = (tool.client_id, tool.client_secret or "")
            granted = http.post("/idp/token", auth=auth, data={"grant_type": "client_credentials"}).json()
            for _ in range(12):
                answer = ask(http, {"authorization": f"Bearer {granted['access_token']}"})
                assert answer.status_code == 200, answer.text
                assert "cus_" in answer.text
        assert before is not None
        # A connection's figures are told when it ends, a moment after the application did.
        deadline = time.monotonic() + 20
        while (now := admin.execute(SCANS).fetchone()) is not None and sum(now) < sum(before) + 24:
            assert time.monotonic() < deadline, (before, now)
            time.sleep(0.05)
        assert now is not None
        assert now[0] == before[0]
