"""What is held in memory is bounded: a chunk ends at a thousand lines or at eight mebibytes, and a stream is never held whole."""

import tracemalloc
from collections.abc import Iterator

from cdp.ingest.importing import CHUNK_BYTES, _chunks, read
from cdp.ingest.record_decoding import ReadRecord


def test_a_chunk_ends_at_a_thousand_lines_or_at_its_bytes() -> None:
    small = [ReadRecord(lines=(n,), end=n * 100) for n in range(1, 2501)]
    assert [len(chunk) for chunk in _chunks(small)] == [1000, 1000, 500]
    large = [ReadRecord(lines=(n,), end=n * CHUNK_BYTES // 4) for n in range(1, 11)]
    assert [len(chunk) for chunk in _chunks(large)] == [5, 5]
    of_many_lines = [ReadRecord(lines=tuple(range(600)), end=n) for n in range(3)]
    assert [len(chunk) for chunk in _chunks(of_many_lines)] == [2, 1]


def test_a_file_is_never_held_whole() -> None:
    line = b'{"external_id": "%08d", "name": "A", "traits": {"note": "' + b"x" * 2_000 + b'"}}\n'

    def blocks() -> Iterator[bytes]:
        for number in range(6_000):
            yield line % number

    tracemalloc.start()
    try:
        chunks = sum(1 for _ in _chunks(read("customers", "ndjson", blocks())))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert chunks == 6
    assert peak_bytes < 6_000_000 < 6_000 * len(line)
