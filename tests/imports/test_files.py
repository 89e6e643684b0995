"""`cdp import`: counts, the file of rejections, exit status, and an import that goes on where it was killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import Connection
from typer.testing import CliRunner

from cdp.cli import app
from cdp.db.engine import connect
from cdp.ingest.files import import_file
from cdp.ingest.importing import find_source
from cdp.ingest.sources import create_source


@pytest.fixture
def connection(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection[tuple[object, ...]]]:
    monkeypatch.setenv("CDP_DATABASE_URL", database_url)
    with connect(database_url, "cdp_app", autocommit=True) as connection:
        create_source(connection, "erp", channel="erp")
        yield connection


def test_the_command_counts_and_exits_with_1_when_lines_were_rejected(
    connection: Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("external_id,name,email\na,Ann,ann@x.test\nb,Bob,nowhere\n")
    done = CliRunner().invoke(app, ["import", "customers", str(file), "--source", "erp", "--json"])
    rejected = tmp_path / "people.csv.rejected.ndjson"
    assert (done.exit_code, json.loads(done.output)) == (
        1,
        {
            "kind": "customers",
            "source": "erp",
            "files": {str(file): {"accepted": 1, "unchanged": 0, "rejected": 1, "rejected_file": str(rejected)}},
        },
    )
    assert [json.loads(line) for line in rejected.read_text().splitlines()] == [
        {"line": 3, "field": "email", "code": "invalid_email", "message": "nowhere is not an e-mail address."}
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["people.csv", "people.csv.rejected.ndjson"]
    file.write_text("external_id,name,email\na,Ann,ann@x.test\nb,Bob,bob@x.test\n")
    done = CliRunner().invoke(app, ["import", "customers", str(file), "--source", "erp"])
    assert done.exit_code == 0
    assert "2 accepted (1 known already), 0 rejected" in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["people.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["invoices", "--source", "erp"], "invoices can't be imported"),
        (["customers", "--source", "shop"], "There is no source named shop."),
    ],
)
def test_the_command_says_what_it_does_not_know(
    connection: Connection[tuple[object, ...]], tmp_path: Path, arguments: list[str], message: str
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("external_id\n")
    done = CliRunner().invoke(app, ["import", arguments[0], str(file), *arguments[1:]])
    assert message in str(done.exception)


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_a_killed_import_goes_on_where_it_stopped(
    connection: Connection[tuple[object, ...]], tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"many.{suffix}"
    records = [
        {"external_id": f"c{n}", "name": f"N{n}"} | ({"email": "nowhere"} if n % 500 == 7 else {}) for n in range(6000)
    ]
    if suffix == "csv":
        rows = [f"{one['external_id']},{one['name']},{one.get('email', '')}" for one in records]
        file.write_text("\n".join(["external_id,name,email", *rows]) + "\n")
    else:
        file.write_text("\n".join(json.dumps(one) for one in records) + "\n")
    command = [
        str(Path(sys.executable).with_name("cdp")),
        "import",
        "customers",
        str(file),
        "--source",
        "erp",
        "--json",
    ]
    running = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    progress = tmp_path / f"{file.name}.progress"
    deadline = time.monotonic() + 60
    while not progress.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert progress.exists(), "the import was over before it could be killed"
    done_before = json.loads(progress.read_bytes())["accepted"]
    assert 0 < done_before < 5988

    heard: list[tuple[int, int]] = []
    source = find_source(connection, "erp")
    count = import_file(
        connection, source, "customers", file, tell=lambda end, count: heard.append((end, count.accepted))
    )
    assert (count.accepted, count.rejected) == (5988, 12)
    assert (heard[0][1], heard[-1]) == (done_before, (file.stat().st_size, 5988))
    assert len(heard) - 2 <= 6 - done_before // 1000
    rejected = [json.loads(line) for line in (tmp_path / f"{file.name}.rejected.ndjson").read_text().splitlines()]
    first = 2 if suffix == "csv" else 1
    assert [one["line"] for one in rejected] == [first + n for n in range(6000) if n % 500 == 7]
    assert connection.execute("SELECT count(*) FROM customer").fetchone() == (5988,)
    assert not progress.exists()


def test_a_changed_file_is_begun_anew(connection: Connection[tuple[object, ...]], tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text('{"external_id": "a", "name": "Ann"}\n')
    (tmp_path / "a.ndjson.progress").write_text('{"fingerprint": "of another file", "end": 36, "line": 1}')
    count = import_file(connection, find_source(connection, "erp"), "customers", file)
    assert (count.accepted, count.unchanged) == (1, 0)


def test_rejections_written_by_a_chunk_that_is_done_again_are_told_once(
    connection: Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    file = tmp_path / "a.ndjson"
    records = [{"external_id": f"c{n}", "kind": "robot" if n == 5 else "person"} for n in range(1500)]
    file.write_text("\n".join(json.dumps(one) for one in records))
    source = find_source(connection, "erp")

    def killed(end: int, _count: object) -> None:
        if end:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(connection, source, "customers", file, tell=killed)
    rejected = tmp_path / "a.ndjson.rejected.ndjson"
    told = rejected.read_text()
    rejected.write_text(told + '{"line": 1200, "of": "a chunk whose progress was not written"}\n')
    count = import_file(connection, source, "customers", file)
    assert (count.accepted, count.rejected, rejected.read_text()) == (1499, 1, told)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\n\r\n\r\n"])
def test_progress_is_told_in_bytes_and_records_and_ends_at_the_files_end(
    connection: Connection[tuple[object, ...]], tmp_path: Path, end: str
) -> None:
    file = tmp_path / "people.csv"
    rows = [f'c-{number},"Name {number}\nof two lines",c{number}@x.test' for number in range(2_500)]
    rows[1_200] = "c-bad,Nobody,nowhere"
    file.write_text("\ufeff" + end[:2].join(["external_id,name,email", *rows]) + end, encoding="utf-8", newline="")
    told: list[tuple[int, int, int]] = []
    source = find_source(connection, "erp")
    import_file(
        connection, source, "customers", file, tell=lambda at, count: told.append((at, count.accepted, count.rejected))
    )
    size = file.stat().st_size
    assert [(accepted, rejected) for _, accepted, rejected in told] == [
        (0, 0),
        (1_000, 0),
        (1_999, 1),
        (2_499, 1),
        (2_499, 1),
    ]
    places = [at for at, _, _ in told]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, size)
    assert all(
        abs(at / size - records / 2_500) < 0.02 for at, records in zip(places[1:4], (1_000, 2_000, 2_500), strict=True)
    )
