"""Files of `static/` that browsers keep for good, because each one's address names its content: another content, another address.

A style sheet names further files, the fonts; it is served with their fingerprints in it, so that its own address changes with
theirs.
"""

import hashlib
import re
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles

STATIC: Final = Path(__file__).parent / "static"
FOR_GOOD: Final = "public, max-age=31536000, immutable"
_NAMED: Final = re.compile(r'url\("([^":/?#]+)"\)')


@cache
def static(name: str) -> str:
    """The address of a file, with its fingerprint."""
    return f"/static/{_printed(name)}"


@cache
def content(name: str) -> bytes:
    """A file as it is served."""
    kept = (STATIC / name).read_bytes()
    if not name.endswith(".css"):
        return kept
    return _NAMED.sub(lambda found: f'url("{_printed(found[1])}")', kept.decode()).encode()


class LastingFiles(StaticFiles):
    """The files, each to be kept."""

    def file_response(self, full_path: Any, *args: Any, **kwargs: Any) -> Response:
        """One of them."""
        name = Path(full_path).name
        response = super().file_response(full_path, *args, **kwargs)
        if name.endswith(".css") and response.status_code == HTTPStatus.OK:
            response = Response(content(name), media_type="text/css")
        response.headers["Cache-Control"] = FOR_GOOD
        return response


def _printed(name: str) -> str:
    return f"{name}?v={hashlib.sha256(content(name)).hexdigest()[:12]}"
