"""Typst, kept on a short lead: one of our templates, the words as data, our own fonts, and nothing else within reach.

Words are JSON that the template reads as strings, so nothing a client or a system wrote is ever markup. The compiler's root is
a folder made for the one document with nothing but the template in it; no template imports a package, so nothing is fetched.
Laying out runs in a thread, which typst lets the others run beside, and few at a time.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import typst
from starlette.concurrency import run_in_threadpool

HERE: Final = Path(__file__).parent
AT_ONCE: Final = 2
_UNPRINTABLE: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufff0-\uffff\ue000-\uf8ff\ud800-\udfff]|[^\u0000-\U0002ffff]"
)

_turns = asyncio.Semaphore(AT_ONCE)


async def typeset(template: str, words: Mapping[str, Any], *, at: datetime) -> bytes:
    """The PDF/UA-1 that `template` (a name in this folder) makes of `words`, dated `at`. Waits its turn."""
    async with _turns:
        return await run_in_threadpool(lay_out, template, words, at=at)


def lay_out(template: str, words: Mapping[str, Any], *, at: datetime) -> bytes:
    """The same, here and now. The same words and instant make the same bytes. Raises typst.TypstError for a template's fault."""
    with TemporaryDirectory(prefix="paper-") as folder:
        root = Path(folder)
        source = root / "main.typ"
        source.write_bytes(_source(template))
        return typst.compile(
            source,
            root=root,
            font_paths=_fonts(),
            ignore_system_fonts=True,
            sys_inputs={"words": json.dumps(printable(words))},
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


@cache
def _source(template: str) -> bytes:
    return (HERE / f"{template}.typ").read_bytes()


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[HERE / "fonts"])
