"""The summary in a real browser: it shows what was found, asks nobody for anything, and names no record."""

from pathlib import Path

from playwright.sync_api import Page

from cdp.identify.matching.files import FileMatch
from cdp.identify.matching.summary import write_summary
from tests.identify.world import START
from tests.matching.febrl import rows


def test_the_summary_shows_the_match_weights_and_reaches_for_nothing(
    page: Page, febrl: tuple[FileMatch, Path], tmp_path: Path
) -> None:
    found, folder = febrl
    path = tmp_path / "summary.html"
    write_summary(path, found.run, title="<FEBRL>", figures={"clusters": found.clusters}, inputs=found.inputs, at=START)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert asked == [path.as_uri()]
    assert page.get_by_role("heading", level=1).inner_text() == "<FEBRL>"
    weights = page.get_by_role("img", name="What each finding weighs")
    # A bar and two figures for each level of each comparison that took part.
    assert weights.locator("rect").count() == sum(len(levels) for _, levels in found.run.chances)
    assert "national id, the same: 0.88 of the pairs of one customer" in (weights.text_content() or "")
    columns = page.get_by_role("img", name="Pairs by match weight")
    assert columns.locator("rect.match").count() > 20
    assert columns.locator("rect.review").count() >= 1
    assert "upper 10" in (columns.text_content() or "")
    text = page.content()
    assert not any(row["id_1"] in text for row in rows(folder / "pairs.csv"))
