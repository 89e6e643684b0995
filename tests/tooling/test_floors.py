"""A dependency below its advisory floor fails `make lint`."""

from tests.tooling.floors import main, too_low

FLOORS = {"starlette": "1.3.1"}


def test_this_project_keeps_its_floors() -> None:
    assert main() == 0


def test_what_is_at_the_floor_is_fine() -> None:
    assert list(too_low(FLOORS, ["starlette>=1.3.1"], {"starlette": "1.3.1"})) == []


def test_an_old_release_that_is_installed_is_named() -> None:
    assert list(too_low(FLOORS, ["Starlette>=1.10"], {"starlette": "1.3.0"})) == [
        "starlette 1.3.0 is installed, 1.3.1 is the first without a known advisory"
    ]


def test_a_requirement_that_admits_an_old_release_is_named() -> None:
    assert list(too_low(FLOORS, ["starlette>=1.2"], {"starlette": "1.10"})) == [
        "starlette>=1.2 admits releases before 1.3.1"
    ]
    assert list(too_low(FLOORS, ["starlette"], {"starlette": "1.10"})) == ["starlette admits releases before 1.3.1"]


def test_what_cannot_be_checked_fails() -> None:
    assert list(too_low(FLOORS, ["starlette>=1.10"], {})) == ["starlette is not installed, so it can't be checked"]
    assert list(too_low(FLOORS, [], {})) == ["starlette has a floor, but the project doesn't depend on it"]
