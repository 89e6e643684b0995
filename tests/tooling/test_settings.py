"""A wrong setting stops the start with one line that names the variable."""

import os
import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from cdp.settings import Settings, SettingsError, load_settings, secret_key, unknown_variables

PRODUCTION = {
    "CDP_ENV": "production",
    "CDP_SECRET_KEY": "k" * 32,
    "CDP_DATABASE_URL": "postgresql://app@db/cdp",
    "CDP_PUBLIC_URL": "https://api.example",
    "CDP_EXTRANET_URL": "https://clients.example",
}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CDP_"):
            monkeypatch.delenv(name)


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_nothing_set_is_a_laptop() -> None:
    settings = load_settings()
    assert (settings.env, settings.database_url, settings.issuer) == (
        "development",
        None,
        "http://localhost:8000/idp",
    )


def test_a_complete_production_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, PRODUCTION)
    assert load_settings().is_production


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"CDP_SECRET_KEY": ""}, "CDP_SECRET_KEY: is required in production; `openssl rand -base64 48` makes one."),
        ({"CDP_SECRET_KEY": "short"}, "CDP_SECRET_KEY: string should have at least 32 characters"),
        (
            {"CDP_SECRET_KEY": "development-only-key-of-the-compose-file"},
            "CDP_SECRET_KEY: is a published one; `openssl rand -base64 48` makes one of your own.",
        ),
        (
            {"CDP_DATABASE_URL": "postgresql://cdp_app:development-only@db/cdp"},
            "CDP_DATABASE_URL: holds a published password; choose one of your own.",
        ),
        ({"CDP_PUBLIC_URL": "http://api.example"}, "CDP_PUBLIC_URL: must be https:// in production."),
        ({"CDP_EXTRANET_URL": "http://c.example"}, "CDP_EXTRANET_URL: must be https:// in production."),
        (
            {"CDP_OIDC_ISSUER": "http://login.example", "CDP_OIDC_CLIENT_ID": "cdp"},
            "CDP_OIDC_ISSUER: must be https:// in production.",
        ),
        ({"CDP_DEMO_USERS": "true"}, "CDP_DEMO_USERS: is for demonstrations; unset it in production."),
        (
            {"CDP_DATABASE_URL": ""},
            "CDP_DATABASE_URL: is required in production; the embedded server is for one's own machine.",
        ),
        ({"CDP_DATABASE_URL": "mysql://u:pw@h/d"}, "CDP_DATABASE_URL: must begin with postgresql://"),
        ({"CDP_DATABSE_URL": "x"}, "CDP_DATABSE_URL: is not a setting; did you mean CDP_DATABASE_URL?"),
        ({"CDP_OIDC_ISSUER": "https://login.example"}, "CDP_OIDC_CLIENT_ID: is required when CDP_OIDC_ISSUER is set."),
        ({"CDP_OIDC_CLIENT_ID": "cdp"}, "CDP_OIDC_ISSUER: is required when CDP_OIDC_CLIENT_ID is set."),
        (
            {"CDP_SMTP_URL": "mail.example"},
            "CDP_SMTP_URL: must look like smtp://user:password@host:port (or smtps://).",
        ),
        (
            {"CDP_SELLER_TIME_ZONE": "Lisbon"},
            "CDP_SELLER_TIME_ZONE: must be a time zone of the IANA database, such as Europe/Lisbon.",
        ),
        (
            {"CDP_SELLER_AGEING_EDGES": "30 30 90"},
            "CDP_SELLER_AGEING_EDGES: must be three rising numbers of days below 3650, such as 30 60 90.",
        ),
        ({"CDP_ENV": "prod"}, "CDP_ENV: input should be 'development' or 'production'"),
    ],
)
def test_production_refuses_with_one_line(monkeypatch: pytest.MonkeyPatch, change: dict[str, str], line: str) -> None:
    set_all(monkeypatch, {**PRODUCTION, **change})
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.message == line


def test_a_refusal_does_not_repeat_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_DATABASE_URL", "mysql://u:hunter2@h/d")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_neither_does_an_error_of_the_model_itself() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(database_url="mysql://u:hunter2@h/d")
    assert "hunter2" not in str(caught.value)


def test_secrets_are_not_in_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {**PRODUCTION, "CDP_SMTP_URL": "smtp://u:hunter2@mail.example"})
    shown = repr(load_settings())
    assert "hunter2" not in shown
    assert "k" * 32 not in shown
    assert "postgresql" not in shown


def test_variables_of_others_are_left_alone_but_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_SERVICE_HOST", "10.0.0.1")  # what Kubernetes sets for a service called "cdp"
    load_settings()
    assert unknown_variables() == ["CDP_SERVICE_HOST"]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().env = "production"  # type: ignore[misc]


def test_a_laptop_makes_its_own_key_once(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "new")
    made = secret_key(settings)
    assert len(made) >= 32
    assert secret_key(settings) == made
    assert stat.S_IMODE((tmp_path / "new" / "secret_key").stat().st_mode) == 0o600
