"""A new password by mail: uniform to whoever asks, one use, an hour, and no way round the second step."""

import re
from email import message_from_bytes, policy
from pathlib import Path

import httpx2
import pytest

from tests.access.issuers import OURS
from tests.access.test_second_step import enrol, first_step
from tests.access.test_signing_in import session, signed_in
from tests.access.world import API, ISSUER, PASSWORD, Stage, follow, hidden_fields, submit_password

NEW = "a new sentence to remember"


def letters(stage: Stage) -> list[tuple[str, str, str]]:
    """To, subject and text of the letters so far, in order."""
    folder: Path = stage.world.settings.data_dir / "mail"
    told = []
    for file in sorted(folder.glob("*.eml")):
        message = message_from_bytes(file.read_bytes(), policy=policy.default)
        body = message.get_body(("plain",))
        told.append((str(message["to"]), str(message["subject"]), body.get_content() if body else ""))
    return told


@pytest.fixture(autouse=True)
def no_letters_yet(stage: Stage) -> None:
    for file in (stage.world.settings.data_dir / "mail").glob("*.eml"):
        file.unlink()


async def ask(browser: httpx2.AsyncClient, email: str) -> httpx2.Response:
    page = await browser.get(f"{ISSUER}/reset")
    form = {**hidden_fields(page.text), "email": email}
    return await browser.post(f"{ISSUER}/reset", data=form, headers={"Origin": API})


def link(stage: Stage) -> str:
    found = re.search(rf"{ISSUER}/reset/\S+", letters(stage)[-1][2])
    assert found is not None
    return found[0]


async def choose(browser: httpx2.AsyncClient, address: str, password: str = NEW) -> httpx2.Response:
    page = await browser.get(address)
    form = {**hidden_fields(page.text), "password": password}
    return await browser.post(address, data=form, headers={"Origin": API})


async def test_the_link_in_the_letter_changes_the_password_once_and_ends_every_session(
    visitor: httpx2.AsyncClient, stage: Stage
) -> None:
    async with stage.browser() as before:
        await signed_in(before, OURS, "fina")
        await ask(visitor, " Fina@Example.com ")
        ((to, subject, _),) = letters(stage)
        assert (to, subject) == ("fina@example.com", "Choose a new password for Meridian Supply")
        address = link(stage)
        assert "fina@example.com" in (await visitor.get(address)).text
        short = await choose(visitor, address, "short")
        assert (short.status_code, "must have 12" in short.text) == (422, True)
        done = await choose(visitor, address)
        assert "Your password is changed" in done.text
        assert (await choose(visitor, address)).status_code == 404
        await OURS.tell_logouts(stage)
        assert await session(before) is None
    assert letters(stage)[-1][1] == "Your password was changed"
    async with stage.browser() as browser:
        page = await browser.get(f"{ISSUER}/security")
        assert (await submit_password(browser, page, "fina@example.com", PASSWORD)).status_code == 422
        assert (await submit_password(browser, page, "fina@example.com", NEW)).status_code == 303
    events = stage.world.execute(
        "SELECT event, outcome FROM audit_record WHERE event LIKE 'password%%' ORDER BY audit_id"
    )
    assert events == [("password_reset_asked", "done"), ("password_reset_used", "done")]


async def test_whoever_asks_gets_the_same_answer_and_no_mailbox_is_filled(
    visitor: httpx2.AsyncClient, stage: Stage
) -> None:
    answers = [await ask(visitor, email) for email in ("fina@example.com", "nobody@example.com", "not an address")]
    assert len({(answer.status_code, answer.text) for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers)) for answer in answers}) == 1
    assert [to for to, _, _ in letters(stage)] == ["fina@example.com"]
    for _ in range(6):
        assert (await ask(visitor, "fina@example.com")).text == answers[0].text
    assert len(letters(stage)) == 4


async def test_only_the_latest_link_works_and_for_an_hour(visitor: httpx2.AsyncClient, stage: Stage) -> None:
    await ask(visitor, "fina@example.com")
    first = link(stage)
    await ask(visitor, "fina@example.com")
    second = next(
        address
        for _, _, text in letters(stage)
        for address in re.findall(rf"{ISSUER}/reset/\S+", text)
        if address != first
    )
    assert (await visitor.get(first)).status_code == 404
    assert (await visitor.get(second)).status_code == 200
    stage.world.execute("UPDATE password_reset SET created_at = created_at - interval '61 minutes'")
    answer = await visitor.get(second)
    assert (answer.status_code, "ask for a new one" in answer.text) == (404, True)
    assert (await visitor.get(f"{ISSUER}/reset/guess")).status_code == 404


async def test_a_new_password_does_not_go_round_the_second_step(visitor: httpx2.AsyncClient, stage: Stage) -> None:
    page = await visitor.get(f"{ISSUER}/security")
    await follow(visitor, await submit_password(visitor, page, "fina@example.com"))
    await enrol(visitor)
    async with stage.browser() as browser:
        await ask(browser, "fina@example.com")
        reset = next(text for _, subject, text in letters(stage) if subject.startswith("Choose"))
        await choose(browser, re.findall(rf"{ISSUER}/reset/\S+", reset)[0])
        page = await browser.get(f"{ISSUER}/security")
        answer = await submit_password(browser, page, "fina@example.com", NEW)
        assert "<h1>One more step</h1>" in answer.text
        assert (await first_step(browser)).status_code == 422  # the old password


async def test_the_link_s_secret_is_stored_as_a_hash_and_its_form_is_bound_to_the_browser(
    visitor: httpx2.AsyncClient, stage: Stage
) -> None:
    await ask(visitor, "fina@example.com")
    address = link(stage)
    secret = address.rpartition("/")[2]
    assert secret not in str(stage.world.execute("SELECT * FROM password_reset"))
    page = await visitor.get(address)
    async with stage.browser() as other:
        form = {**hidden_fields(page.text), "password": NEW}
        assert (await other.post(address, data=form, headers={"Origin": API})).status_code == 403
    assert (await visitor.get(address)).status_code == 200
    assert page.headers["cache-control"] == "no-store"
