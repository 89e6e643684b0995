"""A pytest plugin (registered in pyproject.toml): a real Chromium for tests that look at pages.

Browser tests are plain functions, not `async def`: while Playwright's synchronous interface is open no other event loop
can run in the thread. That is why the fixture lives as long as a module, not as long as the session (0.6 s a start).
"""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from tests.tooling.provision import chromium

# Without these Chromium tries to reach its maker at every start.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--font-render-hinting=none",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, headless. Make contexts in it: `browser.new_context(viewport=…, color_scheme="dark", …)`."""
    found = chromium()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=found.program,
            args=list(QUIET),
            env={**os.environ, **found.environment},
            chromium_sandbox=False,  # root has none, and neither has a container
        )
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a fresh context, 1280 × 800. A script that throws or a refusal by the content policy fails the test."""
    complaints: list[str] = []

    def on_error(error: Error) -> None:
        complaints.append(f"script error: {error.message}")

    def on_console(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            complaints.append(message.text)

    context = browser.new_context(viewport={"width": 1280, "height": 800}, timezone_id="UTC", locale="en-GB")
    opened = context.new_page()
    opened.on("pageerror", on_error)
    opened.on("console", on_console)
    yield opened
    context.close()
    assert complaints == []
