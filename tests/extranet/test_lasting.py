"""Files that browsers keep for a year: whatever names one names its content, so that a changed file is never an old one."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from extranet import lasting
from tests.extranet.addresses import FINANCE, pages
from tests.extranet.conftest import Site
from tests.extranet.reading import read

FOR_GOOD = "public, max-age=31536000, immutable"


def test_every_file_that_a_page_or_a_style_sheet_names_is_named_by_its_content(site: Site) -> None:
    with site.as_member(FINANCE) as member:
        named = {link.attributes["href"] for path in pages(site) for link in read(member.get(path).text).all("link")}
        fonts: set[str] = set()
        for address in named:
            answer = member.get(address)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, FOR_GOOD), address
            assert urlsplit(address).query == f"v={hashlib.sha256(answer.content).hexdigest()[:12]}", address
            if urlsplit(address).path.endswith(".css"):
                assert answer.headers["content-type"] == "text/css; charset=utf-8"
                fonts |= {urljoin(address, url) for url in re.findall(r"url\(\"?(.*?)\"?\)", answer.text)}
        for address in fonts:
            answer = member.get(address)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, FOR_GOOD), address
            assert urlsplit(address).query == f"v={hashlib.sha256(answer.content).hexdigest()[:12]}", address
    assert len(fonts) == len(list(lasting.STATIC.glob("*.woff2")))
    preloaded = {address for address in named if ".woff2" in address}
    assert preloaded
    assert preloaded <= fonts  # else a font would be fetched twice


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(lasting, "STATIC", tmp_path)
    for kept in (lasting.static, lasting.content):
        kept.cache_clear()
    yield tmp_path
    for kept in (lasting.static, lasting.content):
        kept.cache_clear()


def test_another_font_is_another_style_sheet(folder: Path) -> None:
    (folder / "site.css").write_text('@font-face { src: url("a.woff2") format("woff2"); } a { src: url("data:,x"); }')
    addresses = []
    for font in (b"one", b"other"):
        (folder / "a.woff2").write_bytes(font)
        lasting.static.cache_clear()
        lasting.content.cache_clear()
        printed = hashlib.sha256(font).hexdigest()[:12]
        assert lasting.content("site.css") == (
            f'@font-face {{ src: url("a.woff2?v={printed}") format("woff2"); }} a {{ src: url("data:,x"); }}'.encode()
        )
        addresses.append(lasting.static("site.css"))
    assert addresses[0] != addresses[1]
