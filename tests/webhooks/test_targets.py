"""Where webhooks may go: written, resolved, and as a connection is made; and whom we trust there."""

import asyncio
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpcore2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cdp.webhooks.policy import Outcome
from cdp.webhooks.sending import Sender
from cdp.webhooks.signing import new_webhook_secret
from cdp.webhooks.targets import GuardedBackend, TargetForbidden, Targets
from tests.webhooks.conftest import QUICK
from tests.webhooks.receiver import Receiver, Reply, receiving

ANYWHERE = Targets(https_only=False)
HERE = Targets.of("127.0.0.0/8", https_only=False)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.9.10",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.1",
        "192.0.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        "2001:db8::1",
    ],
)
def test_an_address_of_no_public_place_is_not_admitted(address: str) -> None:
    assert not ANYWHERE.admits(ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_a_public_address_is_admitted(address: str) -> None:
    assert ANYWHERE.admits(ip_address(address))


def test_a_network_that_the_operator_names_is_admitted_and_no_other() -> None:
    some = Targets.of("10.1.0.0/16 fd00::/8", https_only=True)
    assert [some.admits(ip_address(each)) for each in ("10.1.2.3", "fd00::1", "10.2.0.1", "127.0.0.1")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names and their addresses, answered by the loop's resolver: the answer a name server of theirs would give."""
    known: dict[str, list[str]] = {}

    async def resolve(_loop: Any, host: str, port: int, **_: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror("unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in known[host]]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", resolve)
    return known


async def test_a_name_that_leads_inside_is_not_connected_to(names: dict[str, list[str]], receiver: Receiver) -> None:
    names["inside.example"] = ["127.0.0.1"]
    with pytest.raises(TargetForbidden):
        await GuardedBackend(ANYWHERE).connect_tcp("inside.example", receiver.port)
    outcome = await send(ANYWHERE, f"http://inside.example:{receiver.port}/")
    assert (outcome.kind, outcome.status) == ("forbidden", None)
    assert receiver.received == []


async def test_one_address_inside_among_others_is_enough_to_refuse(names: dict[str, list[str]]) -> None:
    names["mixed.example"] = ["1.0.0.1", "10.0.0.1"]
    with pytest.raises(TargetForbidden):
        await GuardedBackend(ANYWHERE).connect_tcp("mixed.example", 443, timeout=5)


async def test_the_connection_goes_to_the_address_that_was_judged(
    names: dict[str, list[str]], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    names["hooks.example"] = ["127.0.0.1"]
    asked: list[str] = []
    real = httpcore2.AnyIOBackend.connect_tcp

    async def noted(self: Any, host: str, *given: Any) -> Any:
        asked.append(host)
        return await real(self, host, *given)

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", noted)
    outcome = await send(HERE, f"http://hooks.example:{receiver.port}/hooks")
    assert (outcome.kind, asked) == ("delivered", ["127.0.0.1"])
    assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"


async def test_a_name_that_nobody_knows_is_unreachable(names: dict[str, list[str]]) -> None:
    assert (await send(ANYWHERE, "https://nobody.example/")).kind == "unreachable"


# -- certificates ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost and 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("hooks.example"), x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(certificate: tuple[Path, Path]) -> None:
    with receiving(tls=server_side(certificate)) as receiver:
        outcome = await send(HERE, receiver.url)
    assert (outcome.kind, outcome.status) == ("unreachable", None)
    assert outcome.problem == "Its certificate is not trusted: self-signed certificate."
    assert receiver.received == []


async def test_a_certificate_of_somebody_else_is_not_trusted(
    certificate: tuple[Path, Path], names: dict[str, list[str]]
) -> None:
    names["other.example"] = names["hooks.example"] = ["127.0.0.1"]
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    with receiving(tls=server_side(certificate)) as receiver:
        refused = await send(HERE, f"https://other.example:{receiver.port}/hooks", tls=trusting)
        assert receiver.received == []
        taken = await send(HERE, f"https://hooks.example:{receiver.port}/hooks", tls=trusting)
    assert refused.kind == "unreachable"
    assert str(refused.problem).startswith("Its certificate is not trusted: Hostname mismatch")
    assert taken.kind == "delivered"


def server_side(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


# -- answers -----------------------------------------------------------------------------------------------------------------


async def test_of_a_long_answer_little_is_read_and_of_any_only_what_can_be_shown(receiver: Receiver) -> None:
    receiver.behave = lambda _: Reply(status=400, body=b"a\x00b\x1b[31m" + b"x" * 3_000_000)
    outcome = await send(HERE, receiver.url)
    assert (outcome.kind, outcome.status) == ("refused", 400)
    assert outcome.excerpt is not None
    assert outcome.excerpt.startswith("a b [31mxxx")
    assert len(outcome.excerpt) == 1_000


@pytest.mark.parametrize(("given", "seconds"), [("7", 7), ("nonsense", None), ("-1", None), ("99999999999", 999999999)])
async def test_how_long_a_receiver_asks_to_be_left_alone(receiver: Receiver, given: str, seconds: float | None) -> None:
    receiver.behave = lambda _: Reply(status=503, headers={"retry-after": given})
    assert (await send(HERE, receiver.url)).wait_seconds == seconds


async def test_an_answer_that_never_ends_is_not_waited_for() -> None:
    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b".")
            await asyncio.sleep(0.1)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        outcome = await send(HERE, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert outcome.kind == "timed_out"


async def send(targets: Targets, url: str, *, tls: ssl.SSLContext | None = None) -> Outcome:
    async with Sender(targets, replace(QUICK, timeout_seconds=2), tls=tls) as sender:
        return await sender.send(url, message_id="whd_1", body="{}", secrets=[new_webhook_secret()])
