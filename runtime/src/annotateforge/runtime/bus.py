"""NATS: what has happened, told to whoever listens. Nothing here is the truth; what is lost is read again
from Postgres.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import NamedTuple

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.js import JetStreamContext
from nats.js.api import RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NoStreamResponseError, NotFoundError

from annotateforge.runtime import subjects
from annotateforge.runtime.backlog import Backlog
from annotateforge.runtime.errors import InvalidArgument, Unavailable
from annotateforge.runtime.feed import GAP

MAX_PAYLOAD = 1024 * 1024 - 4096
"""Most bytes of one message: what nats-server takes by default, less its headers."""

_STREAMS = (
    ("TRAINING", subjects.all_job_events()),
    ("REGISTRY", subjects.all_model_events()),
)
_MAX_AGE_SECONDS = 7 * 24 * 3600.0
_MAX_BYTES = 1024**3
_DUPLICATE_WINDOW_SECONDS = 120.0
# Longer than a connection lives whose server answers no pings.
_LONGEST_FLUSH_SECONDS = 120

log = structlog.get_logger()


class Message(NamedTuple):
    """One message."""

    subject: str
    data: bytes


class Subscription(Backlog[Message]):
    """Messages of one subject, in the order in which they came, as an asynchronous iterator.

    Yields a `Gap` where messages may be missing: after a reconnect, and in place of what a reader that is too
    slow did not take. Ends when the subscription or the bus is closed.
    """

    async def _receive(self, message: Msg) -> None:
        self.put(Message(message.subject, message.data))


class Bus:
    """A connection to NATS that comes back by itself. Made by `connect_bus`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._streams: JetStreamContext = client.jetstream(timeout=5)
        self._subscriptions: set[Subscription] = set()
        self._flushing: set[asyncio.Task[None]] = set()
        self._declared = False

    @property
    def connected(self) -> bool:
        """Whether NATS can be reached at this moment."""
        return self._client.is_connected

    async def declare_streams(self) -> None:
        """Make the JetStream streams that capture events, or change them to what this version wants;
        idempotent.
        """
        self._declared = True
        for name, subject in _STREAMS:
            wanted = StreamConfig(
                name=name,
                subjects=[subject],
                storage=StorageType.FILE,
                retention=RetentionPolicy.LIMITS,
                max_age=_MAX_AGE_SECONDS,
                max_bytes=_MAX_BYTES,
                duplicate_window=_DUPLICATE_WINDOW_SECONDS,
            )
            with _bus_errors():
                try:
                    present = (await self._streams.stream_info(name)).config
                except NotFoundError:
                    # Also right when another process makes it in the same moment: equal configurations are
                    # one stream.
                    await self._streams.add_stream(wanted)
                    continue
                if any(getattr(present, field) != getattr(wanted, field) for field in _DECLARED):
                    await self._streams.update_stream(
                        present.evolve(**{f: getattr(wanted, f) for f in _DECLARED})
                    )

    async def publish(self, subject: str, data: bytes, message_id: str, *, timeout: float = 5.0) -> None:
        """Publish into the stream that captures `subject`; returns when JetStream has stored it.

        A message id that was published within the last two minutes is stored once. Unavailable
        BUS_UNAVAILABLE when there was no acknowledgement within `timeout` seconds; the message may have been
        stored all the same.
        """
        headers = {"Nats-Msg-Id": message_id}
        with _bus_errors():
            try:
                await self._streams.publish(subject, data, timeout=timeout, headers=headers)
            except NoStreamResponseError:
                # NATS has lost its storage since the streams were declared; no event that counts was in it
                # alone.
                if not self._declared:
                    raise
                await self.declare_streams()
                await self._streams.publish(subject, data, timeout=timeout, headers=headers)

    async def tell(self, subject: str, data: bytes = b"") -> None:
        """Publish to whoever listens at this moment; dropped when NATS is away."""
        if not self._client.is_connected:
            return
        try:
            async with asyncio.timeout(1):
                await self._client.publish(subject, data)
        except MaxPayloadError as error:
            raise _too_large(len(data)) from error
        except (NatsError, TimeoutError, OSError) as error:
            log.warning("not told", subject=subject, error=type(error).__name__)

    @contextlib.asynccontextmanager
    async def subscribe(self, subject: str, *, limit: int = 1000) -> AsyncIterator[Subscription]:
        """Listen to a subject, which may hold the wildcards `*` and `>`.

        Messages published after the context is entered arrive or are covered by a Gap. At most `limit` of
        them wait.
        """
        subscription = Subscription(limit)
        with _bus_errors():
            inner: NatsSubscription = await self._client.subscribe(subject, cb=subscription._receive)
        self._subscriptions.add(subscription)
        try:
            if self._client.is_connected:
                await self._reach_server()
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            subscription.close()
            with contextlib.suppress(NatsError, OSError):
                await inner.unsubscribe()

    async def _reach_server(self) -> None:
        """Wait until the server knows what it was sent so far, which its answer to a ping says; 5 s at most.

        The waiting for the answer is not cancelled together with the caller: an answer for which nobody waits
        any more ends the client's reading for good.
        """
        flushing = asyncio.create_task(self._client.flush(timeout=_LONGEST_FLUSH_SECONDS))
        self._flushing.add(flushing)
        flushing.add_done_callback(self._flushed)
        await asyncio.wait([flushing], timeout=5)

    def _flushed(self, flushing: "asyncio.Task[None]") -> None:
        self._flushing.discard(flushing)
        if not flushing.cancelled():
            # Whoever subscribes hears of a lost connection by a Gap.
            flushing.exception()

    def _reconnected(self) -> None:
        for subscription in self._subscriptions:
            subscription.put(GAP)

    def _closed(self) -> None:
        for flushing in self._flushing:
            flushing.cancel()
        for subscription in self._subscriptions:
            subscription.close()


_DECLARED = ("subjects", "retention", "max_age", "max_bytes", "duplicate_window")


class _bus_errors(contextlib.AbstractContextManager[None]):
    """NATS's errors as domain errors."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, MaxPayloadError):
            raise _too_large(None) from error
        if isinstance(error, NatsError | TimeoutError | OSError):
            raise Unavailable(
                "BUS_UNAVAILABLE", "The message bus does not answer. Try again in a moment."
            ) from error


def _too_large(size: int | None) -> InvalidArgument:
    shown = "The message" if size is None else f"A message of {size} bytes"
    return InvalidArgument(
        "MESSAGE_TOO_LARGE", f"{shown} is too large for the bus; at most {MAX_PAYLOAD} bytes."
    )


def _public(url: str) -> str:
    """The addresses without the passwords and tokens in them."""
    return re.sub(r"//[^@/,]*@", "//", url)


@contextlib.asynccontextmanager
async def connect_bus(url: str, name: str, *, timeout: float = 30.0) -> AsyncIterator[Bus]:
    """Connect to NATS for the time of the context; reconnects for ever once it has been reached.

    Unavailable BUS_UNAVAILABLE when there is no connection within `timeout` seconds.
    """
    client = Client()
    live: list[Bus] = []
    reported = 0.0

    async def on_error(error: Exception) -> None:
        nonlocal reported
        if time.monotonic() - reported > 10:
            reported = time.monotonic()
            log.warning("NATS", error=str(error) or type(error).__name__)

    async def on_disconnect() -> None:
        if not client.is_closed:
            log.warning("NATS is away")

    async def on_reconnect() -> None:
        log.info("NATS is back")
        for bus in live:
            bus._reconnected()

    async def on_close() -> None:
        for bus in live:
            bus._closed()

    servers: Sequence[str] = [server.strip() for server in url.split(",")]
    try:
        async with asyncio.timeout(timeout):
            await client.connect(
                servers=list(servers),
                name=name,
                error_cb=on_error,
                disconnected_cb=on_disconnect,
                reconnected_cb=on_reconnect,
                closed_cb=on_close,
                max_reconnect_attempts=-1,
                reconnect_time_wait=1,
                connect_timeout=2,
                ping_interval=10,
                max_outstanding_pings=2,
            )
    except (NatsError, TimeoutError, OSError) as error:
        with contextlib.suppress(Exception):
            await client.close()
        raise Unavailable(
            "BUS_UNAVAILABLE", f"NATS at {_public(url)} does not answer within {timeout:g} s."
        ) from error
    bus = Bus(client)
    live.append(bus)
    try:
        yield bus
    finally:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(5):
                await client.flush(timeout=2)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(5):
                await client.close()
        bus._closed()
