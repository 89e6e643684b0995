"""Fixtures of the matching tests: FEBRL 3 matched once in a test process, and small files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cdp.identify.matching.files import FileMatch, match_files
from cdp.identify.matching.running import Options
from tests.matching.febrl import febrl_file

Write = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def febrl(tmp_path_factory: pytest.TempPathFactory) -> tuple[FileMatch, Path]:
    """FEBRL 3 matched with everything as it comes, on DuckDB; and the folder with `pairs.csv` and `clusters.csv`."""
    folder = tmp_path_factory.mktemp("febrl")
    found = match_files(
        [febrl_file()],
        id_column="rec_id",
        given={},
        pairs=folder / "pairs.csv",
        clusters=folder / "clusters.csv",
        options=Options(),
        tell=lambda _: None,
    )
    return found, folder


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a small file, given its name and text; where it is."""

    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written
