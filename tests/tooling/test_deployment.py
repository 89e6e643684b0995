"""The container files agree with the product and with one another.

`docker compose config` judges the file where the client exists; everywhere, its content is read and held to what the
processes need.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cdp.settings import PREFIX, PUBLISHED_PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


def default(value: str) -> str:
    """A value as Compose would have it with no variable set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def test_docker_compose_accepts_the_file(compose: dict[str, Any]) -> None:
    assert list(compose["services"]) == ["postgres", "migrate", "api", "worker", "extranet", "keycloak"]
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        command = [docker, "compose", "--profile", "keycloak", "config", "--quiet"]
        judged = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (judged.returncode, judged.stderr) == (0, "")


@pytest.mark.parametrize("service", ["migrate", "api", "worker", "extranet"])
def test_a_service_starts_with_settings_that_exist(
    compose: dict[str, Any], service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {name: default(value) for name, value in compose["services"][service]["environment"].items()}
    assert set(environment) <= SETTINGS
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings().public_url == "http://api.localhost:8000"


def test_the_extranet_holds_the_portals_login_only(compose: dict[str, Any]) -> None:
    environment = compose["services"]["extranet"]["environment"]
    assert "CDP_DATABASE_URL" not in environment
    assert environment["CDP_PORTAL_DATABASE_URL"].startswith("postgresql://cdp_portal:")


@pytest.mark.parametrize("service", ["api", "worker"])
def test_api_and_worker_are_no_superuser(compose: dict[str, Any], service: str) -> None:
    assert compose["services"][service]["environment"]["CDP_DATABASE_URL"].startswith("postgresql://cdp_app:")


def test_nothing_listens_beyond_this_machine(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_file_that_is_mounted_exists(compose: dict[str, Any]) -> None:
    mounted = [
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    ]
    assert mounted
    assert [path for path in mounted if not (ROOT / path).exists()] == []


def test_every_secret_that_stands_here_is_refused_in_production(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    secrets = re.findall(r"\$\{\w*(?:PASSWORD|SECRET_KEY):-([^}]+)\}", text)
    assert secrets
    assert all(secret.startswith(PUBLISHED_PREFIX) for secret in secrets)


def test_the_realm_fits_the_extranet() -> None:
    realm = json.loads((ROOT / "deploy/keycloak/realm.json").read_text(encoding="utf-8"))
    variables = dict(
        line.split("=", 1)
        for line in (ROOT / "deploy/keycloak/keycloak.env").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    (client,) = realm["clients"]
    assert variables["CDP_OIDC_ISSUER"].endswith(f"/realms/{realm['realm']}")
    assert (client["clientId"], client["secret"]) == (
        variables["CDP_OIDC_CLIENT_ID"],
        variables["CDP_OIDC_CLIENT_SECRET"],
    )
    assert client["attributes"]["pkce.code.challenge.method"] == "S256"
    assert client["redirectUris"] == ["http://clients.localhost:8001/auth/callback"]
    assert client["attributes"]["post.logout.redirect.uris"] == "http://clients.localhost:8001/signed-out"
    told = client["attributes"]["backchannel.logout.url"]
    assert told == "http://clients.localhost:8001/auth/back-channel-logout"
    assert (client["implicitFlowEnabled"], client["directAccessGrantsEnabled"]) == (False, False)


def test_production_env_names_what_compose_reads() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{(\w+):-", text)) - {"KEYCLOAK_ADMIN_PASSWORD"}
    lines = (ROOT / "deploy/production.env").read_text(encoding="utf-8").splitlines()
    assert {line.split("=")[0] for line in lines if not line.startswith("#")} == asked


def test_the_image_runs_as_nobody_in_particular() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    final_stage = dockerfile.rsplit("FROM ", 1)[1]
    assert re.search(r"^USER (?!root)\w+$", final_stage, re.MULTILINE)
    assert "HEALTHCHECK" in final_stage
