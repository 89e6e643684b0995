"""Documents that callers name: trusted ones, automatic ones, and clients that are held to trusted ones."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdp.access.people import create_client
from cdp.access.viewer import READ_SCOPES
from cdp.app import create_app
from cdp.db.engine import connect
from cdp.schema.execution import schema
from cdp.schema.persisted import LearntDocuments, load_trusted
from cdp.settings import Settings, SettingsError
from tests.live import client, serve
from tests.schema.conftest import Door

WHO = "query Who {\n  viewer {\n    kind\n  }\n}\n"
ORDERS = "query Orders($first: Int!) { orders(first: $first) { nodes { __typename } } }"
OTHER = "{ viewer { scopes } }"
ANSWER = {"data": {"viewer": {"kind": "tool"}}}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def persisted(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256(text)}}


@pytest.fixture(scope="module")
def trusting(
    shared_database_url: str,
    settings_for: Callable[..., Settings],
    tmp_path_factory: pytest.TempPathFactory,
    door: Door,
) -> Iterator[Door]:
    """The application with two trusted documents; `token` is of a client that is held to them, `narrow` is free."""
    folder: Path = tmp_path_factory.mktemp("trusted")
    (folder / "who.graphql").write_text(WHO, encoding="utf-8")
    (folder / "orders.graphql").write_text(ORDERS, encoding="utf-8")
    (folder / "README.md").write_text("no document", encoding="utf-8")
    with connect(shared_database_url, "cdp_app") as connection:
        held = create_client(connection, name="Held", scopes=READ_SCOPES, trusted_only=True)
        free = create_client(connection, name="Free", scopes=READ_SCOPES)
    with serve(create_app(settings_for(trusted_documents=folder))) as url, client(url) as http:
        made = Door(url=url, http=http, tool=held, narrow=free, token="")
        yield replace(made, token=made.token_of(held))


def code_of(answer: Any) -> str:
    [error] = answer.json()["errors"]
    code: str = error["extensions"]["code"]
    assert "data" not in answer.json()
    return code


@pytest.mark.parametrize("who", ["held", "free"])
@pytest.mark.parametrize(
    "body",
    [
        {"documentId": "who"},
        {"documentId": f"sha256:{sha256(WHO)}"},
        {"documentId": f"sha256:{sha256(WHO.strip())}"},
        {"query": WHO},
        {"query": WHO.strip()},
        {"extensions": persisted(WHO)},
        {"query": WHO, "extensions": persisted(WHO)},
    ],
)
def test_a_trusted_document_is_run_by_name_by_hash_and_by_its_text(
    trusting: Door, body: dict[str, Any], who: str
) -> None:
    answer = trusting.post(body, token=trusting.token_of(trusting.tool if who == "held" else trusting.narrow))
    assert (answer.status_code, answer.json()) == (200, ANSWER)


def test_a_trusted_document_takes_variables_and_get(trusting: Door) -> None:
    answer = trusting.get(documentId="orders", variables='{"first": 2}')
    assert answer.json() == {"data": {"orders": {"nodes": [{"__typename": "Order"}] * 2}}}


@pytest.mark.parametrize(
    "body",
    [
        {"query": OTHER},
        {"query": WHO.replace("kind", "scopes")},
        {"query": WHO.replace("  ", " ")},
        {"query": OTHER, "extensions": persisted(OTHER)},
        {"documentId": "what"},
        {"documentId": f"sha256:{sha256(OTHER)}"},
        {"documentId": "../who"},
        {"extensions": persisted(OTHER)},
    ],
)
def test_a_client_that_is_held_to_trusted_documents_runs_no_other(trusting: Door, body: dict[str, Any]) -> None:
    # Somebody else has taught it meanwhile.
    taught = {"query": OTHER, "extensions": persisted(OTHER)}
    assert trusting.post(taught, token=trusting.token_of(trusting.narrow)).status_code == 200
    answer = trusting.post(body)
    assert (answer.status_code, code_of(answer)) == (403, "document_not_trusted")


def test_a_client_is_held_and_let_go_within_seconds(trusting: Door, shared_database_url: str) -> None:
    token = trusting.token_of(trusting.narrow)
    assert trusting.ask(OTHER, token=token).status_code == 200
    for is_held, status in ((True, 403), (False, 200)):
        with connect(shared_database_url) as connection:
            values = (is_held, trusting.narrow.client_id)
            connection.execute("UPDATE oauth_client SET trusted_only = %s WHERE client_id = %s", values)
        time.sleep(2.2)  # what is withheld is read every two seconds
        assert trusting.ask(OTHER, token=token).status_code == status


def test_an_unknown_document_is_not_found(door: Door) -> None:
    answer = door.post({"documentId": "who"})
    assert (answer.status_code, code_of(answer)) == (400, "document_not_found")


@pytest.mark.parametrize(
    "body",
    [
        {"documentId": 7},
        {"documentId": "who", "query": WHO},
        {"documentId": "who", "extensions": persisted(WHO)},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": sha256(WHO)}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"extensions": {"persistedQuery": "x"}},
    ],
)
def test_a_request_that_names_a_document_wrongly_is_malformed(door: Door, body: dict[str, Any]) -> None:
    answer = door.post(body)
    assert (answer.status_code, code_of(answer)) == (400, "request_malformed")


# -- automatic persisted queries -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("accept", "status"), [("application/graphql-response+json", 400), ("application/json", 200)])
def test_a_hash_is_taught_and_from_then_on_enough(door: Door, accept: str, status: int) -> None:
    text = f"query Taught{status} {{ viewer {{ kind }} }}"
    unknown = door.post({"extensions": persisted(text)}, accept=accept)
    assert unknown.status_code == status
    assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert code_of(unknown) == "PERSISTED_QUERY_NOT_FOUND"
    assert door.post({"query": text, "extensions": persisted(text)}, accept=accept).json() == ANSWER
    assert door.post({"extensions": persisted(text)}, accept=accept).json() == ANSWER
    by_get = door.get(extensions=f'{{"persistedQuery": {{"version": 1, "sha256Hash": "{sha256(text)}"}}}}')
    assert by_get.json() == ANSWER


def test_a_hash_of_something_else_is_refused_and_not_kept(door: Door) -> None:
    answer = door.post({"query": "{ viewer { kind } } # mine", "extensions": persisted("{ viewer { kind } } # yours")})
    assert answer.json()["errors"][0]["message"] == "provided sha does not match query"
    assert (answer.status_code, code_of(answer)) == (400, "PERSISTED_QUERY_HASH_MISMATCH")
    again = door.post({"extensions": persisted("{ viewer { kind } } # yours")})
    assert code_of(again) == "PERSISTED_QUERY_NOT_FOUND"


def test_what_cannot_be_run_is_not_kept(door: Door) -> None:
    text = "{ viewer { shoeSize } }"
    assert code_of(door.post({"query": text, "extensions": persisted(text)})) == "graphql_invalid"
    assert code_of(door.post({"extensions": persisted(text)})) == "PERSISTED_QUERY_NOT_FOUND"


def test_the_store_is_bounded_by_count_and_by_bytes_and_drops_what_was_used_least() -> None:
    store = LearntDocuments(most=2, most_bytes=10)
    for text in ("one", "two"):
        store.learn(text)
    assert store.get(sha256("one")) == "one"
    store.learn("six")
    assert [store.get(sha256(text)) for text in ("one", "two", "six")] == ["one", None, "six"]
    store.learn("eight888")
    assert [store.get(sha256(text)) for text in ("one", "six", "eight888")] == [None, None, "eight888"]
    store.learn("e" * 11)
    assert (len(store), store.bytes) == (1, 8)


# -- at the start --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{ viewer { shoeSize } }", "Cannot query field 'shoeSize' on type 'Viewer'. (line 1, column 12)"),
        ("{ viewer {", "Syntax Error: Expected Name, found <EOF>. (line 1, column 11)"),
        ("fragment F on Viewer { kind }", "Fragment 'F' is never used. (line 1, column 1)"),
    ],
)
def test_a_bad_document_stops_the_start_with_one_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "a-good.graphql").write_text(WHO, encoding="utf-8")
    (tmp_path / "bad.graphql").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_trusted(tmp_path, schema._schema)
    assert caught.value.message == f"CDP_TRUSTED_DOCUMENTS: bad.graphql can't be run: {problem}"


def test_a_directory_that_is_none_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"CDP_TRUSTED_DOCUMENTS: .*missing is no directory\."):
        load_trusted(tmp_path / "missing", schema._schema)
