"""The public doors, used as any integrator would: tracking batches with a write key, imports with an OAuth token."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Self

import httpx2
import orjson

from cdp.demo.business import Delivery
from cdp.demo.errors import DoorRefused, NotCaughtUp
from cdp.demo.keeping import Client
from cdp.demo.visits import Told

BATCH_MESSAGES: Final = 500
ATTEMPTS: Final = 10
CATCH_UP_SECONDS: Final = 600
LONGEST_ANSWER_TOLD: Final = 300

Advance = Callable[[int], None]


class Doors:
    """The API of one server, seen from outside."""

    def __init__(
        self, api: str, write_keys: Mapping[str, str], integrator: Client, *, check: Callable[[], None]
    ) -> None:
        """`check` raises when there is no sense in waiting any longer."""
        self._check = check
        self._http = httpx2.Client(base_url=api, trust_env=False, timeout=120)
        self._write_keys = write_keys
        self._integrator = integrator
        self._token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._http.close()
        if isinstance(error, httpx2.HTTPError):
            self._check()  # more to the point than what the connection says
            raise DoorRefused(door="The API", answer=f"{type(error).__name__}") from error

    def track(self, messages: Iterable[Told], advance: Advance) -> None:
        """Send messages in batches, each with the key of its source; a source's messages stay in order."""
        waiting: dict[str, list[Mapping[str, Any]]] = {}
        for told in messages:
            batch = waiting.setdefault(told.source, [])
            batch.append(told.content)
            if len(batch) == BATCH_MESSAGES:
                self._send(told.source, waiting.pop(told.source))
                advance(BATCH_MESSAGES)
        for source, batch in waiting.items():
            self._send(source, batch)
            advance(len(batch))

    def deliver(self, delivery: Delivery, advance: Advance) -> None:
        """Import records; told again they change nothing. Raises DoorRefused when a line is rejected."""
        door = f"/v1/import/{delivery.kind}?source={delivery.source}"

        def lines() -> Iterator[bytes]:
            for record in delivery.records:
                yield orjson.dumps(record) + b"\n"
                advance(1)

        answer = self._http.post(
            door,
            content=lines(),
            headers={"content-type": "application/x-ndjson", "authorization": f"Bearer {self._bearer()}"},
        )
        if answer.status_code != httpx2.codes.OK or answer.json()["rejected"]:
            raise DoorRefused(door=door, answer=answer.text[:LONGEST_ANSWER_TOLD])

    def wait_until_stitched(self, tell_pending: Callable[[int], None]) -> None:
        """Until every acknowledged message is in the graph. Raises NotCaughtUp; DoorRefused when one failed."""
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while pending := self._figure("cdp_inbox_pending"):
            tell_pending(pending)
            self._check()
            if time.monotonic() > deadline:
                raise NotCaughtUp(seconds=CATCH_UP_SECONDS, pending=pending)
            time.sleep(0.2)
        tell_pending(0)
        failed = self._figure("cdp_failed_messages")
        if failed:
            raise DoorRefused(door="The stitcher", answer=f"{failed} messages are kept as failed")

    def _send(self, source: str, batch: list[Mapping[str, Any]]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            answer = self._http.post(
                "/v1/batch", content=orjson.dumps({"batch": batch}), auth=(self._write_keys[source], "")
            )
            if answer.status_code == httpx2.codes.OK:
                return
            is_busy = answer.status_code in (httpx2.codes.TOO_MANY_REQUESTS, httpx2.codes.SERVICE_UNAVAILABLE)
            if not is_busy or attempt == ATTEMPTS:
                raise DoorRefused(door="/v1/batch", answer=answer.text[:LONGEST_ANSWER_TOLD])
            time.sleep(float(answer.headers.get("retry-after", "1")))

    def _bearer(self) -> str:
        if not self._token:
            answer = self._http.post(
                "/idp/token",
                data={"grant_type": "client_credentials"},
                auth=(self._integrator.client_id, self._integrator.client_secret),
            )
            if answer.status_code != httpx2.codes.OK:
                raise DoorRefused(door="/idp/token", answer=answer.text[:LONGEST_ANSWER_TOLD])
            self._token = answer.json()["access_token"]
        return self._token

    def _figure(self, name: str) -> int:
        for line in self._http.get("/metrics").text.splitlines():
            if line.startswith(f"{name} "):
                return int(float(line.split()[1]))
        raise DoorRefused(door="/metrics", answer=f"{name} is missing")
