"""The command line, `cdp`: one module per group of commands, gathered here into one application."""

import typer

app = typer.Typer(no_args_is_help=True)


def main() -> None:
    """Run the command line."""
    app()
