"""Typst, kept on a short lead: one of our templates, the words as data, our own fonts, and nothing else within reach.

Words are JSON that the template reads as strings, so nothing a client or a system wrote is ever markup. The compiler's root is
a folder made for the one document with nothing but the template in it; no template imports a package, so nothing is fetched.
Nobody who waits for a page is held up: one document is laid out at a time, in a thread that typst lets the others run beside and
that, where the system lets a thread say so, stands back behind all of them. What is Python's is done before: a thread that stood
back while it holds the interpreter would have everybody wait for it.
"""

import asyncio
import contextlib
import json
import os
import re
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import typst

HERE: Final = Path(__file__).parent
AT_ONCE: Final = 1
NICE: Final = 19
_UNPRINTABLE: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufff0-\uffff\ue000-\uf8ff\ud800-\udfff]|[^\u0000-\U0002ffff]"
)
_ESCAPED: Final = re.compile(r"\\[bfru]")  # JSON's way to write control characters, or a backslash before such a letter


def _stand_back() -> None:
    if sys.platform == "linux":  # where a thread has a priority of its own, which the threads it starts inherit
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


_workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="paper", initializer=_stand_back)


async def typeset(template: str, words: Mapping[str, Any], *, at: datetime) -> bytes:
    """The PDF/UA-1 that `template` (a name in this folder) makes of `words`, dated `at`. Waits its turn."""
    work = partial(_lay_out, template, _written(words), at=at)
    return await asyncio.get_running_loop().run_in_executor(_workers, work)


def lay_out(template: str, words: Mapping[str, Any], *, at: datetime) -> bytes:
    """The same, here and now. The same words and instant make the same bytes. Raises typst.TypstError for a template's fault."""
    return _lay_out(template, _written(words), at=at)


def _lay_out(template: str, words: str, *, at: datetime) -> bytes:
    with TemporaryDirectory(prefix="paper-") as folder:
        root = Path(folder)
        source = root / "main.typ"
        source.write_bytes(_source(template))
        return typst.compile(
            source,
            root=root,
            font_paths=_fonts(),
            ignore_system_fonts=True,
            sys_inputs={"words": words},
            pdf_standards="ua-1",
            timestamp=at.replace(microsecond=0),  # typst knows whole seconds
            package_path=root,
            package_cache_path=root,
        )


def printable(words: Any) -> Any:
    """`words`, of any depth, without what has no shape on paper, as control characters and private use; a box stands for each."""
    match words:
        case str():
            return _UNPRINTABLE.sub("□", words)
        case Mapping():
            return {name: printable(value) for name, value in words.items()}
        case list() | tuple():
            return [printable(value) for value in words]
    return words


def _written(words: Mapping[str, Any]) -> str:
    text = json.dumps(words, ensure_ascii=False)
    if _UNPRINTABLE.search(text) is None and _ESCAPED.search(text) is None:  # as nearly always
        return text
    return json.dumps(printable(words))


@cache
def _source(template: str) -> bytes:
    return (HERE / f"{template}.typ").read_bytes()


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[HERE / "fonts"])
