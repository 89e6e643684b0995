"""`cdp source list`, `rotate`, `revoke`, `update` and `end-visitor-tokens`: write keys with overlap, and what pages may do."""

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import typer

from cdp.cli.access import AsJson, source
from cdp.cli.database import database
from cdp.settings import load_settings

commands = typer.Typer()  # the verbs are the group's in `access`

_SPANS: Final = {"m": "minutes", "h": "hours", "d": "days"}

Name = Annotated[str, typer.Argument(help="The source's name, e.g. web-shop.")]


def read_span(text: str) -> timedelta:
    """`7d`, `12h`, `30m` or `0`."""
    found = re.fullmatch(r"(\d{1,4})([mhd])", text.strip())
    if text.strip() == "0":
        return timedelta()
    if found is None:
        raise typer.BadParameter("say 7d, 12h, 30m or 0.", param_hint="--overlap")
    return timedelta(**{_SPANS[found[2]]: int(found[1])})


@source.command("list")
def list_the_sources(*, as_json: AsJson = False) -> None:
    """Show every source and its write keys: how each ends, since when it is there, and until when it is taken."""
    from cdp.db.engine import connect
    from cdp.ingest.sources import list_sources

    with database(load_settings()) as url, connect(url) as connection:
        found = list_sources(connection)
    if as_json:
        typer.echo(json.dumps([_shown(one) for one in found]))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("source", "channel", "write keys", "pages of", "visitors are told", box=None, pad_edge=False)
    for one in found:
        keys = "\n".join(f"…{key.hint} {_until(key.expires_at, is_taken=key.is_taken)}" for key in one.keys)
        table.add_row(one.name, one.channel, keys, "\n".join(one.allowed_origins), ", ".join(one.visitor_traits))
    Console(soft_wrap=True).print(table)


@source.command("rotate")
def rotate_a_write_key(
    name: Name,
    *,
    overlap: Annotated[
        str, typer.Option(help="How long former keys are still taken: 7d, 12h, 30m or 0.", metavar="SPAN")
    ] = "7d",
    as_json: AsJson = False,
) -> None:
    """Print a new write key; the source's former keys are taken for a while yet, so that nothing is lost meanwhile."""
    from cdp.db.engine import connect
    from cdp.ingest.sources import rotate_write_key, source_named

    span = read_span(overlap)
    with database(load_settings()) as url, connect(url) as connection:
        key = rotate_write_key(connection, name, overlap=span)
        ending = [one for one in source_named(connection, name).keys if one.expires_at is not None and one.is_taken]
    told: dict[str, Any] = {
        "name": name,
        "write_key": key,
        "ending": [{"hint": one.hint, "expires_at": _iso(one.expires_at)} for one in ending],
    }
    if as_json:
        typer.echo(json.dumps(told))
        return
    typer.echo(f"name: {name}\nwrite_key: {key}")
    for one in ending:
        typer.echo(f"…{one.hint} {_until(one.expires_at, is_taken=True)}")


@source.command("revoke")
def revoke_a_write_key(
    name: Name,
    hint: Annotated[str, typer.Argument(help="The key's last four characters, as `cdp source list` shows them.")],
    *,
    as_json: AsJson = False,
) -> None:
    """End a write key now; servers that remember it take it for 15 seconds more."""
    from cdp.db.engine import connect
    from cdp.ingest.sources import revoke_write_key

    with database(load_settings()) as url, connect(url) as connection:
        revoke_write_key(connection, name, hint)
    _say(as_json, {"name": name, "revoked": hint}, f"…{hint} of {name} is no longer taken.")


@source.command("update")
def update_a_source(
    name: Name,
    *,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="Origins whose pages may post and ask, instead of those before; repeatable."),
    ] = None,
    no_origins: Annotated[bool, typer.Option("--no-origins", help="Pages of no origin.")] = False,
    visitor_trait: Annotated[
        list[str] | None,
        typer.Option(
            help="Traits that a visitor with a token is told of themselves, instead of those before; repeatable."
        ),
    ] = None,
    no_visitor_traits: Annotated[bool, typer.Option("--no-visitor-traits", help="No trait at all.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change which pages a source hears, and what its visitors are told; servers follow within 15 seconds."""
    from cdp.db.engine import connect
    from cdp.ingest.sources import update_source

    origins = () if no_origins else _given(origin)
    traits = () if no_visitor_traits else _given(visitor_trait)
    if origins is None and traits is None:
        raise typer.BadParameter("say what to change: --origin, --no-origins, --visitor-trait, --no-visitor-traits.")
    with database(load_settings()) as url, connect(url) as connection:
        changed = update_source(connection, name, allowed_origins=origins, visitor_traits=traits)
    text = f"{name}: pages of {_words(changed.allowed_origins)}; visitors are told {_words(changed.visitor_traits)}."
    _say(as_json, _shown(changed), text)


@source.command("end-visitor-tokens")
def end_the_visitors_tokens(name: Name, *, as_json: AsJson = False) -> None:
    """End every visitor's token of a source, as after a leak; pages ask for new ones by themselves."""
    from cdp.db.engine import connect
    from cdp.ingest.sources import end_visitor_tokens

    with database(load_settings()) as url, connect(url) as connection:
        generation = end_visitor_tokens(connection, name)
    _say(as_json, {"name": name, "generation": generation}, f"Visitors' tokens of {name} are no longer taken.")


def _given(values: list[str] | None) -> tuple[str, ...] | None:
    return tuple(values) if values else None


def _words(values: Iterable[str]) -> str:
    return ", ".join(values) or "nothing"


def _say(as_json: bool, told: dict[str, Any], text: str) -> None:
    typer.echo(json.dumps(told) if as_json else text)


def _shown(one: Any) -> dict[str, Any]:
    return {
        "name": one.name,
        "channel": one.channel,
        "division": one.division,
        "location": one.location,
        "origins": list(one.allowed_origins),
        "visitor_traits": list(one.visitor_traits),
        "write_keys": [
            {
                "hint": key.hint,
                "created_at": _iso(key.created_at),
                "expires_at": _iso(key.expires_at),
                "is_taken": key.is_taken,
            }
            for key in one.keys
        ],
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _until(at: datetime | None, *, is_taken: bool) -> str:
    if at is None:
        return "is taken"
    return f"{'is taken until' if is_taken else 'ended'} {at:%Y-%m-%d %H:%M} UTC"
