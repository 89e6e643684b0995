"""GraphiQL for people who find the endpoint with a browser."""

from starlette.responses import HTMLResponse, Response


def graphiql() -> Response:
    """The page."""
    return HTMLResponse("")
