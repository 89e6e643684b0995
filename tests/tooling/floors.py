"""Dependencies below the first release that is free of a known advisory are refused: `python -m tests.tooling.floors`.

The floors stand in pyproject.toml (`tool.advisory-floors`), because an audit that asks a service says nothing where the
service can't be reached. Two things are held to them: what is installed, and the oldest release that the project admits.
"""

import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def too_low(floors: Mapping[str, str], requirements: Sequence[str], installed: Mapping[str, str]) -> Iterator[str]:
    """What is below its floor, a sentence each. A floor for what is no dependency, or isn't installed, is too low too."""
    admitted = {canonicalize_name(parsed.name): parsed for parsed in map(Requirement, requirements)}
    for name, floor in floors.items():
        requirement = admitted.get(canonicalize_name(name))
        if requirement is None:
            yield f"{name} has a floor, but the project doesn't depend on it"
            continue
        oldest = [Version(part.version) for part in requirement.specifier if part.operator in {">=", "==", "~="}]
        if not oldest or max(oldest) < Version(floor):
            yield f"{requirement} admits releases before {floor}"
        if name not in installed:
            yield f"{name} is not installed, so it can't be checked"
        elif Version(installed[name]) < Version(floor):
            yield f"{name} {installed[name]} is installed, {floor} is the first without a known advisory"


def main() -> int:
    """Check this project in this environment; 1 when something is below its floor."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    floors = project["tool"]["advisory-floors"]
    installed = {}
    for name in floors:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    found = list(too_low(floors, project["project"]["dependencies"], installed))
    for sentence in found:
        print(sentence, file=sys.stderr)  # noqa: T201 - what this program is for
    if not found:
        print(f"{len(floors)} advisory floors kept.")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
