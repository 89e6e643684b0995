"""What an operator can set: environment variables with the prefix `CDP_`, read once at the start, immutable after.

A wrong setting stops the start with one line that names the variable and says what to do. Production refuses what only
a laptop may have: a generated key, plain http, demo users, the embedded database.
"""

import contextlib
import difflib
import os
import secrets
import tempfile
from datetime import date
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from cdp.errors import CdpError
from cdp.limits import ADMIN, MEMBER, TOOL, read_limits, read_rate, written

PREFIX: Final = "CDP_"
USUAL_AGEING_EDGES: Final = (30, 60, 90)
MOST_DAYS_LATE: Final = 3_650  # as cdp.ledger.statement, which no setting may know
SHORTEST_SECRET_KEY_CHARACTERS: Final = 32
PUBLISHED_PREFIX: Final = "development-only"  # how every secret begins that stands in this repository
_TYPO_LIKENESS: Final = 0.8


class SettingsError(CdpError):
    """{variable}: {problem}"""  # noqa: D400 - the problem brings its full stop

    variable: str
    problem: str


def _web_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an http:// or https:// address without query or fragment.")
    return value.rstrip("/")


def _issuer_url(value: str) -> str:
    _web_url(value)
    return value  # as it is: issuers are compared letter by letter, and some end in a slash


def _claim_names(value: str) -> str:
    if not value.split():
        raise ValueError("must name a claim.")
    return " ".join(value.split())


def _database_url(value: str) -> str:
    if urlsplit(value).scheme not in {"postgresql", "postgres"}:
        raise ValueError("must begin with postgresql://")
    return value


def _smtp_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError("must look like smtp://user:password@host:port (or smtps://).")
    return value


def _mail_address(value: str) -> str:
    name, at, host = value.rpartition("@")
    if not name or not at or not host or not value.isascii() or any(letter.isspace() for letter in value):
        raise ValueError("must be an e-mail address such as no-reply@example.com.")
    return value


WebUrl = Annotated[str, AfterValidator(_web_url)]
IssuerUrl = Annotated[str, AfterValidator(_issuer_url)]
ClaimNames = Annotated[str, AfterValidator(_claim_names)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("must be a time zone of the IANA database, such as Europe/Lisbon.") from None
    return value


def _limits(value: str) -> str:
    read_limits(value, TOOL)
    return value


def _rate(value: str) -> str:
    read_rate(value)
    return value


def _month_and_day(value: str) -> str:
    try:
        date.fromisoformat(
            f"2001-{value}"
        )  # a year without 29 February: every year begins on a day that every year has
    except ValueError:
        raise ValueError("must be a month and a day that every year has, such as 04-01.") from None
    return value


def _ageing_edges(value: str) -> str:
    days = [int(part) if part.isascii() and part.isdecimal() else 0 for part in value.split()]
    if len(days) != len(USUAL_AGEING_EDGES) or not 0 < days[0] < days[1] < days[2] < MOST_DAYS_LATE:
        raise ValueError(f"must be three rising numbers of days below {MOST_DAYS_LATE}, such as 30 60 90.")
    return value


def _networks(value: str) -> str:
    for each in value.split():
        try:
            ip_network(each)
        except ValueError:
            raise ValueError(f"knows networks such as 10.1.0.0/16 or fd00::/8, apart by spaces; not {each}.") from None
    return value


MailAddress = Annotated[str, AfterValidator(_mail_address)]
SmtpUrl = Annotated[str, AfterValidator(_smtp_url)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
MonthAndDay = Annotated[str, AfterValidator(_month_and_day)]
LimitsLine = Annotated[str, AfterValidator(_limits)]
RateLine = Annotated[str, AfterValidator(_rate)]
AgeingEdges = Annotated[str, AfterValidator(_ageing_edges)]
Networks = Annotated[str, AfterValidator(_networks)]


class Settings(BaseSettings):
    """Every setting; the variable is the field's name in capitals after `CDP_`. Empty means unset."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    env: Literal["development", "production"] = Field(
        "development", description="`production` refuses what only a laptop may have."
    )
    database_url: DatabaseUrl | None = Field(
        None, repr=False, description="PostgreSQL ≥ 16 for API and worker. Unset: an embedded server in `CDP_DATA_DIR`."
    )
    portal_database_url: DatabaseUrl | None = Field(
        None,
        repr=False,
        description="The same database for the extranet, as a login that may only become `cdp_portal`.",
    )
    replica_database_url: DatabaseUrl | None = Field(None, repr=False, description="A read replica for GraphQL reads.")
    public_url: WebUrl = Field("http://localhost:8000", description="Where the API is reached from outside.")
    extranet_url: WebUrl = Field("http://localhost:8001", description="Where the extranet is reached from outside.")
    oidc_issuer: IssuerUrl | None = Field(
        None,
        description="OpenID issuer for people and tools, letter by letter. Unset: the embedded one at `{CDP_PUBLIC_URL}/idp`.",
    )
    oidc_client_id: str | None = Field(None, description="Our client id at that issuer.")
    oidc_client_secret: str | None = Field(None, repr=False, description="Our client secret at that issuer.")
    oidc_audience: str | None = Field(
        None, description="`aud` of access tokens for the API at that issuer. Unset: `CDP_PUBLIC_URL`."
    )
    oidc_plain_jwt: bool = Field(
        default=False, description="Take its access tokens of type `JWT` too; unset, only `at+jwt` (RFC 9068)."
    )
    oidc_scope_claim: ClaimNames = Field(
        "scope", description="Claims of its access tokens that hold scopes, e.g. `scp roles`."
    )
    oidc_subject_claim: str = Field(
        "sub", min_length=1, description="Claim of its tokens that names the person, e.g. `oid`."
    )
    secret_key: str | None = Field(
        None,
        min_length=SHORTEST_SECRET_KEY_CHARACTERS,
        repr=False,
        description="Encrypts what the database keeps secret (signing keys). Unset: made in `CDP_DATA_DIR`.",
    )
    smtp_url: SmtpUrl | None = Field(
        None,
        repr=False,
        description="Outgoing mail. Unset: letters are kept in `CDP_DATA_DIR/mail`; in production none is sent.",
    )
    mail_from: MailAddress | None = Field(
        None, description="Whom letters come from. Unset: `no-reply@` the host of `CDP_PUBLIC_URL`."
    )
    seller_name: str = Field("Meridian Supply", min_length=1, description="The company's name, as clients call it.")
    seller_legal_name: str = Field(
        "Meridian Supply Ltd", min_length=1, description="Its legal name, at the head of statements."
    )
    seller_tax_id: str | None = Field(None, description="Its tax identification number, at the head of statements.")
    seller_time_zone: TimeZone = Field(
        "UTC", description="Where its books are kept: accounting dates and `today` are of this zone."
    )
    seller_financial_year_starts: MonthAndDay = Field(
        "01-01", description="First day of its financial year, month and day, such as `04-01`."
    )
    seller_ageing_edges: AgeingEdges = Field(
        "30 60 90",
        description="Last days late of the ageing columns between not yet due and the oldest: three, rising.",
    )
    seller_bank_details: str | None = Field(
        None, description="Where to pay, printed on statements; lines are separated by `;`."
    )
    case_hours_key: int = Field(
        24, ge=1, le=8_760, description="Hours in which a key account's case is answered, as promised in the extranet."
    )
    case_hours_standard: int = Field(72, ge=1, le=8_760, description="The same for other accounts.")
    trusted_documents: Path | None = Field(
        None, description="Directory of GraphQL documents, `*.graphql`, that callers may run by name."
    )
    limits_admin: LimitsLine = Field(
        written(ADMIN),
        description="What a tool with the scope `admin` may ask in one GraphQL operation; what isn't named stays.",
    )
    limits_tool: LimitsLine = Field(written(TOOL), description="The same for other tools.")
    limits_member: LimitsLine = Field(written(MEMBER), description="The same for members, in the extranet.")
    rate_graphql_tool: RateLine = Field(
        "50000000/minute",
        description="Nodes that a tool, or each person it acts for, may ask of the graph in a while; `off`: any number.",
    )
    rate_graphql_member: RateLine = Field("2000000/minute", description="The same for a member, in the extranet.")
    rate_token: RateLine = Field(
        "120/minute",
        description="Token requests of one OAuth client from one address; ten times as many of an address.",
    )
    rate_exports: RateLine = Field("60/hour", description="Files that a member may take away.")
    rate_invites: RateLine = Field("50/day", description="Invitations of one person, or one tool, and of one account.")
    data_dir: Path = Field(Path(".cdp"), description="Embedded database, generated key, demo.json.")
    demo_users: bool = Field(default=False, description="Members with published passwords; set by `cdp demo`.")
    feed_retention_days: int | None = Field(
        None, ge=1, le=36_500, description="Days that changes are kept in the feed. Unset: for good."
    )
    webhook_retention_days: int = Field(30, ge=1, le=3_650, description="Days that deliveries of webhooks are kept.")
    webhook_networks: Networks | None = Field(
        None,
        description="Private networks that webhooks may go to, as `10.1.0.0/16 fd00::/8`. Unset: public addresses only.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto`: JSON in production, key=value for people in development."
    )
    shutdown_seconds: int = Field(20, ge=1, le=600, description="How long a stopping process finishes what it began.")

    @property
    def is_production(self) -> bool:
        """Whether laptop conveniences are refused."""
        return self.env == "production"

    @property
    def issuer(self) -> str:
        """The OpenID issuer for people, embedded or not."""
        return self.oidc_issuer or f"{self.public_url}/idp"

    @property
    def issuer_is_embedded(self) -> bool:
        """Whether this product is its own OpenID issuer."""
        return self.oidc_issuer is None

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if self.oidc_issuer and not self.oidc_client_id:
            raise _problem("oidc_client_id", "is required when CDP_OIDC_ISSUER is set.")
        if self.oidc_client_id and not self.oidc_issuer:
            raise _problem("oidc_issuer", "is required when CDP_OIDC_CLIENT_ID is set.")
        if self.is_production:
            self._refuse_laptop_conveniences()
        return self

    def _refuse_laptop_conveniences(self) -> None:
        if not self.secret_key:
            raise _problem("secret_key", "is required in production; `openssl rand -base64 48` makes one.")
        if self.secret_key.startswith(PUBLISHED_PREFIX):
            raise _problem("secret_key", "is a published one; `openssl rand -base64 48` makes one of your own.")
        for name in ("public_url", "extranet_url", "oidc_issuer"):
            if str(getattr(self, name) or "").startswith("http://"):
                raise _problem(name, "must be https:// in production.")
        if self.demo_users:
            raise _problem("demo_users", "is for demonstrations; unset it in production.")
        for name in ("database_url", "portal_database_url", "oidc_client_secret"):
            if PUBLISHED_PREFIX in str(getattr(self, name) or ""):
                raise _problem(name, "holds a published password; choose one of your own.")
        if not self.database_url and not self.portal_database_url:
            raise _problem("database_url", "is required in production; the embedded server is for one's own machine.")


def load_settings(**given: Any) -> Settings:
    """Settings from the environment; `given` wins over it.

    Raises SettingsError, one line, naming the first variable that is wrong, or that is misspelt.
    """
    for variable in unknown_variables():
        known = difflib.get_close_matches(variable, _variables(), n=1, cutoff=_TYPO_LIKENESS)
        if known:
            raise SettingsError(variable=variable, problem=f"is not a setting; did you mean {known[0]}?")
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = first.get("ctx", {}).get("variable") or (first["loc"][0] if first["loc"] else "")
        raise SettingsError(variable=_variable(str(name)), problem=_sentence(first["msg"])) from None


def unknown_variables() -> list[str]:
    """Environment variables with our prefix that are no setting of ours, in order of name."""
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in _variables())


def secret_key(settings: Settings) -> str:
    """The secret key: the setting, or in development the one in the data directory, made on first use (mode 0600)."""
    if settings.secret_key:
        return settings.secret_key
    path = settings.data_dir / "secret_key"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Written whole under another name, then linked: of two processes that start at once, one wins and both read its key.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text(encoding="ascii").strip()


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _variables() -> set[str]:
    return {_variable(name) for name in Settings.model_fields}


def _problem(name: str, problem: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{problem}", {"variable": name, "problem": problem})


def _sentence(message: str) -> str:
    """Pydantic's message on one line, as the end of a sentence whose subject is the variable."""
    message = " ".join(message.removeprefix("Value error, ").split())
    return message if message[:1].islower() else message[:1].lower() + message[1:]
