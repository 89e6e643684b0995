"""Mutations of OAuth clients: registering them, what they may do, their secrets and keys, and refusing them."""

from typing import Annotated, Any

import strawberry
from psycopg import Connection

from cdp.access.managing_clients import Client, ClientChange, ClientDesk
from cdp.access.people import NewClient
from cdp.errors import Mistake
from cdp.schema.mutations.acting import user_error, work
from cdp.schema.mutations.administering import (
    NEEDS,
    OAuthClientPayload,
    OAuthClientSecretPayload,
    administrator,
)
from cdp.schema.subscription import made

Work = Any
_OWN = " Nobody gives a scope, or a secret that opens one, that they don't have themselves."


@strawberry.input(description="A new OAuth client.")
class OAuthClientCreateInput:
    """Input of oauthClientCreate."""

    name: str = strawberry.field(description="What people call it; at most 100 characters.")
    scopes: list[str] = strawberry.field(description="The most that it may ever ask for, of your own scopes.")
    redirect_uris: list[str] = strawberry.field(
        default_factory=list,
        description="Where people are sent back to; with one, staff can let it act for them. https, or http on localhost.",
    )
    post_logout_redirect_uris: list[str] = strawberry.field(
        default_factory=list, description="Where people are sent after signing out."
    )
    backchannel_logout_uri: str | None = strawberry.field(
        default=None, description="Where it is to be told that a person's session ended."
    )
    public_keys: str | None = strawberry.field(
        default=None, description="Public keys it signs with, in place of a secret: PEM, a JWK or a JWK Set."
    )
    trusted_only: bool = strawberry.field(default=False, description="Whether it may run trusted documents only.")


@strawberry.input(description="What is to be changed of an OAuth client; what is left out or null stays as it is.")
class OAuthClientUpdateInput:
    """Input of oauthClientUpdate."""

    client_id: str = strawberry.field(description="Which.")
    name: str | None = strawberry.field(default=None, description="What people call it.")
    scopes: list[str] | None = strawberry.field(default=None, description="All scopes that it may ask for.")
    redirect_uris: list[str] | None = strawberry.field(default=None, description="All its redirect addresses.")
    post_logout_redirect_uris: list[str] | None = strawberry.field(
        default=None, description="All addresses to go to after signing out."
    )
    backchannel_logout_uri: str | None = strawberry.field(
        default=None, description='Where it is to be told that a session ended; "" for nowhere.'
    )
    trusted_only: bool | None = strawberry.field(default=None, description="Whether it may run trusted documents only.")


@strawberry.input(description="An OAuth client.")
class OAuthClientInput:
    """Input of the mutations of one client that need no more."""

    client_id: str = strawberry.field(description="Which.")


@strawberry.input(description="Public keys of an OAuth client.")
class OAuthClientRegisterKeysInput:
    """Input of oauthClientRegisterKeys."""

    client_id: str = strawberry.field(description="Which.")
    public_keys: str = strawberry.field(
        description="PEM, a JWK or a JWK Set, of public keys; they replace those before."
    )


async def _create(
    info: strawberry.Info,
    input: Annotated[OAuthClientCreateInput, strawberry.argument(description="What it is and may do.")],
) -> OAuthClientSecretPayload:
    outcome = await _at_desk(
        info,
        lambda desk: desk.create(
            name=input.name,
            scopes=input.scopes,
            redirect_uris=input.redirect_uris,
            post_logout_redirect_uris=input.post_logout_redirect_uris,
            backchannel_logout_uri=input.backchannel_logout_uri,
            public_keys=input.public_keys,
            trusted_only=input.trusted_only,
        ),
    )
    return _secret(outcome)


async def _update(
    info: strawberry.Info,
    input: Annotated[OAuthClientUpdateInput, strawberry.argument(description="Which, and what of it.")],
) -> OAuthClientPayload:
    change = ClientChange(
        name=input.name,
        scopes=input.scopes,
        redirect_uris=input.redirect_uris,
        post_logout_redirect_uris=input.post_logout_redirect_uris,
        backchannel_logout_uri=input.backchannel_logout_uri,
        trusted_only=input.trusted_only,
    )
    return _payload(await _at_desk(info, lambda desk: desk.update(input.client_id, change)))


Which = Annotated[OAuthClientInput, strawberry.argument(description="Which.")]


async def _rotate_secret(info: strawberry.Info, input: Which) -> OAuthClientSecretPayload:
    return _secret(await _at_desk(info, lambda desk: desk.rotate_secret(input.client_id)))


async def _register_keys(
    info: strawberry.Info,
    input: Annotated[OAuthClientRegisterKeysInput, strawberry.argument(description="Which, and its keys.")],
) -> OAuthClientPayload:
    return _payload(await _at_desk(info, lambda desk: desk.register_keys(input.client_id, input.public_keys)))


async def _disable(info: strawberry.Info, input: Which) -> OAuthClientPayload:
    return _payload(await _at_desk(info, lambda desk: desk.disable(input.client_id)))


async def _enable(info: strawberry.Info, input: Which) -> OAuthClientPayload:
    return _payload(await _at_desk(info, lambda desk: desk.enable(input.client_id)))


async def _sign_out(info: strawberry.Info, input: Which) -> OAuthClientPayload:
    return _payload(await _at_desk(info, lambda desk: desk.sign_out(input.client_id)))


async def _at_desk(info: strawberry.Info, act: Work) -> Any:
    tool, actor, _ = administrator(info)

    def write(connection: Connection[Any]) -> Any:
        return act(ClientDesk(connection, actor, tool.scopes))

    return await work(info, write)


def _payload(outcome: Client | Mistake) -> OAuthClientPayload:
    if isinstance(outcome, Mistake):
        return made(OAuthClientPayload, client_id=None, user_errors=[user_error(outcome)])
    return made(OAuthClientPayload, client_id=outcome.client_id, user_errors=[])


def _secret(outcome: NewClient | Mistake) -> OAuthClientSecretPayload:
    if isinstance(outcome, Mistake):
        return made(OAuthClientSecretPayload, client_id=None, client_secret=None, user_errors=[user_error(outcome)])
    told: dict[str, Any] = {"client_id": outcome.client_id, "client_secret": outcome.client_secret, "user_errors": []}
    return made(OAuthClientSecretPayload, **told)


@strawberry.type
class OAuthClientMutation:
    """Roots; the mutation root has them."""

    oauth_client_create: OAuthClientSecretPayload | None = strawberry.field(
        resolver=_create, description=f"Registers an OAuth client; its secret is shown once.{_OWN} {NEEDS}"
    )
    oauth_client_update: OAuthClientPayload | None = strawberry.field(
        resolver=_update, description=f"Changes what is registered of an OAuth client.{_OWN} {NEEDS}"
    )
    oauth_client_rotate_secret: OAuthClientSecretPayload | None = strawberry.field(
        resolver=_rotate_secret,
        description=f"Gives an OAuth client a new secret, shown once; the old one, or its keys, are refused"
        f" at once.{_OWN} {NEEDS}",
    )
    oauth_client_register_keys: OAuthClientPayload | None = strawberry.field(
        resolver=_register_keys,
        description=f"Has an OAuth client sign with keys of its own; its secret is refused at once.{_OWN} {NEEDS}",
    )
    oauth_client_disable: OAuthClientPayload | None = strawberry.field(
        resolver=_disable,
        description=f"Refuses an OAuth client and, within seconds, every token it has. {NEEDS}",
    )
    oauth_client_enable: OAuthClientPayload | None = strawberry.field(
        resolver=_enable,
        description=f"Lets a disabled OAuth client in again; old tokens stay refused.{_OWN} {NEEDS}",
    )
    oauth_client_sign_out: OAuthClientPayload | None = strawberry.field(
        resolver=_sign_out,
        description=f"Refuses, within seconds, every token that an OAuth client has by now; it may ask for new ones. {NEEDS}",
    )
