"""The application that `tests/schema` asks over HTTP, for clients that are examples."""

from tests.schema.conftest import door, settings_for

__all__ = ["door", "settings_for"]
