"""Batches without the cyclic garbage collector: one makes a hundred thousand objects, a bounded number of them, and no cycles.

The collector would walk the whole program's objects several times a batch; that took a third of the time.
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No cyclic garbage collection meanwhile."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
