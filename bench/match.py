"""Match invented people (1,000,000 records) with `cdp match`, and with Splink alone on the same file, and compare.

Each in a process of its own, in alternating rounds; medians count. Splink alone reads the file with DuckDB, uses its own library
of comparisons, the same rules for which pairs to look at, its own training (chance by random sampling, two rounds of expectation
maximisation), scores, and clusters. `cdp match` also checks, cleans, explains each pair and writes pairs and summary. Quality is
told for both: of the pairs in one cluster, against the truth.
Last line: {"match_to_splink", "match_seconds", "splink_seconds", "match_mb", "splink_mb", "match_f1", "splink_f1", "records"}.
"""

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

FIELDS = (
    "given_name",
    "family_name",
    "date_of_birth",
    "email",
    "phone",
    "street",
    "house_number",
    "postcode",
    "city",
)
RULES = (
    ("email",),
    ("phone",),
    ("given_name", "family_name"),
    ("date_of_birth", "given_name"),
    ("date_of_birth", "family_name"),
    ("date_of_birth", "postcode"),
    ("date_of_birth", "city"),
    ("date_of_birth", "house_number"),
    ("date_of_birth", "street"),
    ("street", "house_number"),
    ("postcode", "house_number"),
    ("postcode", "street"),
    ("postcode", "family_name"),
    ("postcode", "given_name"),
)
"""What `cdp match` looks at, but for the rules whose values are too common here; those would drown Splink in pairs."""


def main() -> None:
    """Run the benchmark, or one round of it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--records", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--one", choices=["match", "splink"], help=argparse.SUPPRESS)
    arguments.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.one:
        (match_round if given.one == "match" else splink_round)(given.file)
        return
    with tempfile.TemporaryDirectory(prefix="cdp-bench-", ignore_cleanup_errors=True) as name:
        file = Path(name) / "people.csv"
        write_people(file, given.records)
        result = measure(file, given.rounds)
    table = Table(title=f"{given.records:,} records, medians of {given.rounds} rounds")
    table.add_column("what")
    table.add_column("figure", justify="right")
    for what, figure in result.items():
        table.add_row(what.replace("_", " "), f"{figure:,}")
    Console().print(table)
    print(json.dumps({**result, "records": given.records}))


def measure(file: Path, rounds: int) -> dict[str, float]:
    """Alternate the two; a round's seconds include its process's start."""
    seconds: dict[str, list[float]] = {"match": [], "splink": []}
    peaks: dict[str, list[float]] = {"match": [], "splink": []}
    for _ in range(rounds):
        for one in ("match", "splink"):
            began = time.perf_counter()
            running = subprocess.Popen([sys.executable, "-m", "bench.match", "--one", one, "--file", str(file)])  # noqa: S603
            _, status, usage = os.wait4(running.pid, 0)
            seconds[one].append(time.perf_counter() - began)
            peaks[one].append(usage.ru_maxrss / 1024)
            if status:
                sys.exit(f"{one} failed")
    medians = {one: statistics.median(taken) for one, taken in seconds.items()}
    return {
        "match_to_splink": round(medians["match"] / medians["splink"], 2),
        **{f"{one}_seconds": round(taken, 1) for one, taken in medians.items()},
        **{f"{one}_mb": round(statistics.median(peak)) for one, peak in peaks.items()},
        **{f"{one}_f1": round(f1(file.with_name(f"{one}-clusters.csv")), 5) for one in ("match", "splink")},
    }


def match_round(file: Path) -> None:
    """`cdp match`, as from the command line."""
    from cdp.cli import main as cdp  # noqa: PLC0415

    output = file.with_name("match-pairs.csv")
    told = ["--output", str(output), "--clusters", str(file.with_name("match-clusters.csv")), "--json"]
    sys.argv = ["cdp", "match", "--input", str(file), "--id-column", "id", *told]
    cdp()


def splink_round(file: Path) -> None:
    """Splink as its documentation has it."""
    import duckdb  # noqa: PLC0415
    import splink.comparison_library as library  # noqa: PLC0415
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on  # noqa: PLC0415

    connection = duckdb.connect()
    cleaned = ", ".join(f"nullif(lower(trim({name})), '') AS {name}" for name in FIELDS)
    connection.execute(
        f"CREATE TABLE people AS SELECT id AS unique_id, {cleaned} FROM read_csv('{file}', all_varchar = true)"  # noqa: S608
    )
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            library.NameComparison("given_name"),
            library.NameComparison("family_name"),
            library.DateOfBirthComparison("date_of_birth", input_is_string=True),
            library.EmailComparison("email"),
            library.LevenshteinAtThresholds("phone", [1, 2]),
            library.JaroWinklerAtThresholds("street", [0.92, 0.85]),
            library.ExactMatch("house_number"),
            library.LevenshteinAtThresholds("postcode", [1, 2]),
            library.JaroWinklerAtThresholds("city", [0.92, 0.85]).configure(term_frequency_adjustments=True),
        ],
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in RULES],
    )
    linker = Linker(DuckDBAPI(connection).register("people"), settings, log_level=None)
    exact = [block_on("email", "date_of_birth"), block_on("given_name", "family_name", "date_of_birth")]
    linker.training.estimate_probability_two_random_records_match(exact, recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6)
    for rule in (block_on("date_of_birth", "postcode"), block_on("given_name", "family_name")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    scored = linker.inference.predict(threshold_match_weight=0)
    clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(scored, threshold_match_weight=10)
    target = file.with_name("splink-clusters.csv")
    connection.execute(
        f"COPY (SELECT cluster_id AS cluster, unique_id AS id FROM {clustered.physical_name}) TO '{target}' (HEADER)"  # noqa: S608
    )


def f1(clusters: Path) -> float:
    """Of the pairs in one cluster, against whose the records are (the id's first part)."""
    together: Counter[str] = Counter()
    true: Counter[str] = Counter()
    right: Counter[tuple[str, str]] = Counter()
    with clusters.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            person = row["id"].split("-")[0]
            together[row["cluster"]] += 1
            true[person] += 1
            right[row["cluster"], person] += 1
    said, there, both = (sum(size * (size - 1) // 2 for size in sizes.values()) for sizes in (together, true, right))
    return 2 * both / (said + there)


def write_people(path: Path, count: int) -> None:
    """So many records, seeded; one in six tells of somebody who was told before, with slips and gaps."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", *FIELDS))
        writer.writerows(people(random.Random(20260101), count))


def people(rng: random.Random, count: int) -> Iterator[tuple[str, ...]]:
    """Records: `<person>-<copy>`, then `FIELDS`."""
    given = [_word(rng, 2) for _ in range(900)]
    family = [_word(rng, 3) for _ in range(20_000)]
    streets = [f"{_word(rng, 3)} street" for _ in range(30_000)]
    towns = [(_word(rng, 3), f"{number:05}") for number in rng.sample(range(1_000, 99_999), 8_000)]
    person = written = 0
    while written < count:
        town, postcode = towns[int(len(towns) * rng.random() ** 2)]
        first, last = given[int(len(given) * rng.random() ** 2)], family[int(len(family) * rng.random() ** 2)]
        known = [
            first,
            last,
            f"{rng.randrange(1935, 2008)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
            f"{first}.{last}{rng.randrange(10_000)}@mail{rng.randrange(40)}.example",
            f"+4915{rng.randrange(10**8):08}",
            rng.choice(streets),
            str(1 + int(150 * rng.random() ** 2)),
            postcode,
            town,
        ]
        copies = 1 + (rng.random() < 1 / 6) + (rng.random() < 1 / 40)
        for copy in range(min(copies, count - written)):
            yield f"{person}-{copy}", *([_retold(rng, value) for value in known] if copy else known)
            written += 1
        person += 1


def _word(rng: random.Random, syllables: int) -> str:
    return "".join(
        rng.choice("bdfghklmnprstvz") + rng.choice("aeiou") + rng.choice(("", "n", "r", "s")) for _ in range(syllables)
    )


def _retold(rng: random.Random, value: str) -> str:
    """As another source has it: one in eight is missing, one in eight has a slip."""
    luck = rng.random()
    if luck < 1 / 8:
        return ""
    if luck < 1 / 4:
        place = rng.randrange(len(value))
        return value[:place] + rng.choice("aeinrst0123") + value[place + rng.randrange(2) :]
    return value


if __name__ == "__main__":
    main()
