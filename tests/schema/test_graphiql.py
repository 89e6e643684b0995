"""GraphiQL in a real browser: our own files alone, a policy nothing trips over, and an example that answers."""

import json
import re
from collections.abc import Callable
from datetime import date

import pytest
from graphql import build_schema, parse, validate
from playwright.sync_api import Page, expect

from cdp.app import create_app
from cdp.schema import print_contract
from cdp.schema.graphiql import ASSETS, examples
from cdp.settings import Settings
from tests.live import client, serve
from tests.schema.conftest import Door

AS_A_BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def sign_in(page: Page, door: Door) -> None:
    assert door.tool.client_secret is not None
    page.get_by_label("Client").fill(door.tool.client_id)
    page.get_by_label("Secret").fill(door.tool.client_secret)
    page.get_by_role("button", name="Get a token").click()
    expect(page.locator("output")).to_contain_text("graph:read")


def test_a_person_names_a_client_and_asks_every_example(page: Page, door: Door) -> None:
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(re.sub(r"(?<=\w)/.*", "", request.url.split("//", 1)[-1])))
    page.goto(f"{door.url}/graphql")
    result = page.locator(".result-window")
    expect(result).to_contain_text("No access token yet")
    sign_in(page, door)
    answers = {
        "WholeCustomer": '"externalId": "u39"',
        "Recognise": '"recognise": null',
        "AccountStatement": '"number": "K-1010"',
        "LateOrders": '"totalCount"',
    }
    for name, shown in answers.items():
        page.get_by_role("tab", name=name).click()
        page.get_by_role("button", name="Execute query").click()
        expect(result).to_contain_text(shown, timeout=10_000)
        expect(result).not_to_contain_text('"errors"')
    assert asked == {door.url.split("//")[1]}


def test_the_schema_is_explained_and_a_pasted_token_is_used(page: Page, door: Door) -> None:
    page.goto(f"{door.url}/graphql")
    page.get_by_role("button", name="Headers").click()
    headers = (
        page.get_by_role("region", name="Headers").locator(".CodeMirror").last
    )  # the first, hidden, is of the variables
    headers.click()
    page.keyboard.insert_text(json.dumps({"Authorization": f"Bearer {door.token}"}))
    expect(headers).to_contain_text("Bearer")
    page.get_by_role("button", name="Execute query").click()
    expect(page.locator(".result-window")).to_contain_text('"data"')
    page.get_by_role("button", name="Re-fetch GraphQL schema").click()
    page.get_by_role("button", name="Show Documentation Explorer").click()
    explained = page.locator(".graphiql-doc-explorer")
    explained.get_by_role("link", name="Query", exact=True).first.click()
    expect(explained).to_contain_text("Every question that can be asked")
    page.get_by_role("button", name="Open settings dialog").click()  # adds a style element, under the policy's nonce
    expect(page.get_by_role("dialog")).to_contain_text("Theme")
    stored = page.evaluate("JSON.stringify(localStorage)")
    assert "WholeCustomer" in stored
    assert door.token not in stored


def test_the_policy_admits_our_own_files_only(door: Door) -> None:
    answer = door.http.get("/graphql", headers={"accept": AS_A_BROWSER})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert {name: policy[name] for name in ("default-src", "script-src", "connect-src", "frame-ancestors")} == {
        "default-src": "'none'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
    }
    assert "unsafe" not in answer.headers["content-security-policy"]
    files = re.findall(r'(?:src|href)="(graphql/[^"]+)"', answer.text)
    assert len(files) == 6
    for file in files:
        got = door.http.get(f"/{file}", headers={"accept-encoding": "gzip"})
        assert got.status_code == 200, file
        assert "immutable" in got.headers["cache-control"]


def test_the_files_hold_no_address_that_a_browser_would_load() -> None:
    for path in [*ASSETS.rglob("*.css"), ASSETS / "page.html", ASSETS / "start.js"]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?:https?:)?//[a-z]|@import|url\((?!data:)", re.sub(r"(?m)^\s*//.*$", "", text)), path
    assert sum(path.stat().st_size for path in ASSETS.rglob("*") if path.is_file()) < 1_500_000


@pytest.mark.parametrize(
    "path", ["README.md", "page.html", "vendor", "examples/1-whole-customer.graphql", "../endpoint.py"]
)
def test_only_scripts_and_styles_are_served(door: Door, path: str) -> None:
    assert door.http.get(f"/graphql/assets/{path}").status_code == 404


def test_production_has_no_page(door: Door, settings_for: Callable[..., Settings]) -> None:
    settings = settings_for(env="production", public_url="https://api.example", extranet_url="https://x.example")
    with serve(create_app(settings)) as url, client(url) as http:
        answer = http.get("/graphql", headers={"accept": AS_A_BROWSER})
        assert (answer.status_code, answer.json()["code"]) == (404, "no_page")
        assert http.get("/graphql/assets/start.js").status_code == 404
        assert (
            http.get("/graphql", params={"query": "{viewer{kind}}"}, headers={"accept": AS_A_BROWSER}).status_code
            == 401
        )


def test_another_issuer_is_named_instead_of_asked(settings_for: Callable[..., Settings]) -> None:
    from cdp.schema.graphiql import page as made  # noqa: PLC0415 - `page` is the browser's here

    text = bytes(made(settings_for(oidc_issuer="https://id.example", oidc_client_id="x")).body).decode()
    assert "https://id.example" in text
    assert "client_secret" not in text


def test_the_examples_fit_the_schema() -> None:
    contract = build_schema(print_contract())
    tabs = examples(date(2026, 7, 1))
    assert len(tabs) == 4
    for tab in tabs:
        assert validate(contract, parse(tab["query"])) == []
        assert isinstance(json.loads(tab["variables"]), dict)
