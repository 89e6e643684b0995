"""The browser that `make test` provides renders pages, text beyond ASCII included, as root and as an ordinary user."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.tooling import provision

PAGE = "<title>Cuenta</title><h1 style='font: 40px sans-serif'>Año, ñandú, żółć: 1.234,56 €</h1>"


def test_a_page_renders_to_a_picture(page: Page, tmp_path: Path) -> None:
    page.set_content(PAGE)
    assert page.inner_text("h1") == "Año, ñandú, żółć: 1.234,56 €"
    picture = page.screenshot(path=tmp_path / "page.png")
    page.set_content(PAGE.replace("ñ", "?"))
    assert picture.startswith(b"\x89PNG")
    assert picture != page.screenshot()


def test_contexts_take_a_scheme_and_can_do_without_scripts(browser: Browser) -> None:
    context = browser.new_context(color_scheme="dark", java_script_enabled=False)
    page = context.new_page()
    page.set_content(
        "<style>p { color: red } @media (prefers-color-scheme: dark) { p { color: lime } }</style><p>dark"
        "<noscript>no script</noscript><script>document.body.textContent = 'script'</script>"
    )
    assert "no script" in page.inner_text("body")
    context.close()


def test_a_program_that_does_not_start_is_no_browser() -> None:
    assert provision._started(Path("/bin/false"), {}) is None
    assert provision._started(Path("/nonexistent"), {}) is None


def test_no_browser_at_all_fails_loudly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho 'libnss3.so: cannot open shared object file' >&2; exit 127\n")
    broken.chmod(0o755)
    monkeypatch.setattr(provision, "SYSTEM_BROWSERS", ())
    monkeypatch.setattr(provision, "_unpacked_chromium", lambda: tmp_path)
    with pytest.raises(provision.NotProvided, match=r"does not start: libnss3\.so: cannot open shared object file"):
        provision.chromium.__wrapped__()
