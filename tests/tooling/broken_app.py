"""An application that fails while it starts, quoting what it was given."""

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    int("Canary-Nombre Apellido")
    yield


app = Starlette(lifespan=lifespan)
