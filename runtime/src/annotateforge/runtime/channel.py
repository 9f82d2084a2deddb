"""Channels to other services: deadlines, the caller's token and the request id on every call without being
asked.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import grpc

from annotateforge.runtime.call import REQUEST_ID_KEY, request_id
from annotateforge.runtime.server import MAX_MESSAGE

UNARY_DEADLINE = 30.0
"""Seconds that a call without streams may take where the caller says nothing else."""

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", -1),
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # In spite of its name the time that one attempt to connect gets: a busy machine may need some of it.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]

TokenSource = Callable[[], str | None]
"""Answers the token for a call, such as `caller_token` or `lambda: token`; None for a call without one."""


@contextlib.asynccontextmanager
async def open_channel(
    address: str, token_source: TokenSource | None = None, *, deadline: float = UNARY_DEADLINE
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to `address` for the time of the context.

    Every call carries the token and the request id of the call that is being served here, if any. Unary calls
    get `deadline` seconds unless they name a timeout; a stream lasts until it ends, and keepalive finds out
    within 30 s when its peer is gone. A failed call raises grpc.aio.AioRpcError: `rpc_status.from_rpc_error`
    says what it means.
    """
    inner = grpc.aio.insecure_channel(address, options=_OPTIONS)
    try:
        yield _Channel(inner, token_source, deadline)
    finally:
        await inner.close()


class _Channel(grpc.aio.Channel):
    """Adds to calls as they are made. Interceptors would do the same with a task per call and a copy of every
    stream.
    """

    def __init__(self, inner: grpc.aio.Channel, token_source: TokenSource | None, deadline: float) -> None:
        self._inner = inner
        self._token_source = token_source
        self._deadline = deadline

    def _metadata(self, given: Any) -> tuple[tuple[str, str | bytes], ...]:
        metadata = tuple(given or ())
        keys = {key for key, _ in metadata}
        served = request_id()
        if served is not None and REQUEST_ID_KEY not in keys:
            metadata += ((REQUEST_ID_KEY, served),)
        token = self._token_source() if self._token_source is not None else None
        if token and "authorization" not in keys:
            metadata += (("authorization", f"Bearer {token}"),)
        return metadata

    def _adding(self, callable_: Callable[..., Any], deadline: float | None, streams_requests: bool) -> Any:
        if streams_requests:

            def call(
                requests: Any = None, timeout: float | None = None, metadata: Any = None, **more: Any
            ) -> Any:
                return callable_(
                    requests, timeout=timeout or deadline, metadata=self._metadata(metadata), **more
                )

            return call

        def call_with(
            request: Any, *, timeout: float | None = None, metadata: Any = None, **more: Any
        ) -> Any:
            return callable_(request, timeout=timeout or deadline, metadata=self._metadata(metadata), **more)

        return call_with

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        return self._adding(self._inner.unary_unary(*args, **kwargs), self._deadline, False)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._adding(self._inner.unary_stream(*args, **kwargs), None, False)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        return self._adding(self._inner.stream_unary(*args, **kwargs), None, True)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        return self._adding(self._inner.stream_stream(*args, **kwargs), None, True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._inner.channel_ready()
