"""Spark gives the same clusters as DuckDB: FEBRL 3 through both, Spark on the Java runtime that comes as a wheel."""

import os
import subprocess
import sys
from pathlib import Path

from cdp.identify.matching.files import FileMatch
from tests.matching.febrl import febrl_file, rows


def _path_without_java(folder: Path) -> str:
    """All programs of the path but Java, so that the test finds the wheel's on every machine."""
    folder.mkdir()
    for place in reversed(os.environ["PATH"].split(os.pathsep)):
        for program in Path(place).glob("*") if Path(place).is_dir() else ():
            link = folder / program.name
            if not program.name.startswith("java"):
                link.unlink(missing_ok=True)
                link.symlink_to(program)
    return str(folder)


def test_spark_and_duckdb_give_the_same_clusters(febrl: tuple[FileMatch, Path], tmp_path: Path) -> None:
    found, folder = febrl
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CDP_", "JAVA", "SPARK"))}
    environment["JDK_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"  # a short life: half the time
    environment["PATH"] = _path_without_java(tmp_path / "programs")
    result = subprocess.run(
        [
            sys.executable, "-c", "from cdp.cli import main; main()", "match", "--engine", "spark",
            "--input", febrl_file(), "--id-column", "rec_id",
            "--output", tmp_path / "pairs.csv", "--clusters", tmp_path / "clusters.csv",
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert f"{found.clusters:,} clusters" in result.stdout
    assert (tmp_path / "clusters.csv").read_text("utf-8") == (folder / "clusters.csv").read_text("utf-8")
    # Weights differ a little: the two reckon Jaro and Winkler's similarity of words with swapped letters differently.
    by_spark, by_duckdb = (
        {(row["id_1"], row["id_2"], row["verdict"]) for row in rows(place / "pairs.csv")}
        for place in (tmp_path, folder)
    )
    assert by_spark == by_duckdb
