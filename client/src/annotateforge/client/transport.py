# Made by client/make_sync.py of aio/transport.py; change that.
"""Calls the gateway over REST."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from annotateforge.client.wire import (
    BYTES,
    TRANSFER_TIMEOUT,
    authorization,
    check,
    checked_address,
    content_of,
    is_local,
    translated,
    written,
)
from annotateforge.runtime.rest.codec import decode
from annotateforge.runtime.rest.request import HttpRequest

M = TypeVar("M", bound=Message)


class Transport:
    """A connection pool to one gateway. Safe to use from several threads."""

    def __init__(self, url: str, token: str, timeout: float) -> None:
        """url: http(s)://host:port; timeout: seconds within which a call must be answered.

        WrongArgument when the address is none, or the token could not be sent in a header.
        """
        self.url = checked_address(url)
        self.headers = authorization(token)
        self._http = httpx.Client(
            base_url=self.url,
            headers=self.headers,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10)),
            transport=httpx.HTTPTransport(retries=2),
            # What runs on this machine is not reached through a proxy.
            trust_env=not is_local(self.url),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def call(self, service: ServiceDescriptor, method: str, request: Message, answer: type[M]) -> M:
        """Call a method and give what REST answers: the resource that its `response_body` picks, or the
        response.

        ServerRefused with the server's reason; ServerAway when it cannot be reached.
        """
        http = written(service, method, request)
        return self._answer(http, answer, content_of(http))

    def upload(
        self,
        service: ServiceDescriptor,
        method: str,
        first: Message,
        answer: type[M],
        *,
        chunks: Iterable[bytes] | None = None,
        files: Iterable[tuple[str, bytes]] | None = None,
    ) -> M:
        """Call an upload method. `first` is its first message, with the header; then either the raw `chunks`
        or several `files`, name and bytes, follow.
        """
        arguments: dict[str, Any] = {"timeout": TRANSFER_TIMEOUT}
        if files is not None:
            arguments["files"] = [("file", (name, content)) for name, content in files]
        else:
            arguments |= {"content": _one_by_one(chunks or ()), "headers": {"content-type": BYTES}}
        return self._answer(written(service, method, first), answer, arguments)

    def download(
        self, service: ServiceDescriptor, method: str, request: Message, write: Callable[[bytes], object]
    ) -> int:
        """Call a download method and hand its bytes to `write`; how many there were.

        ServerAway when the connection ended before the last byte.
        """
        http = written(service, method, request)
        count = 0
        with translated(self.url):
            with self._http.stream(
                http.binding.http_method,
                http.path,
                params=list(http.query),
                headers={"accept-encoding": "identity"},
                timeout=TRANSFER_TIMEOUT,
            ) as answered:
                if answered.is_error:
                    answered.read()
                check(answered)
                for chunk in answered.iter_raw():
                    write(chunk)
                    count += len(chunk)
        return count

    def _answer(self, http: HttpRequest, answer: type[M], arguments: Mapping[str, Any]) -> M:
        with translated(self.url):
            answered = self._http.request(
                http.binding.http_method, http.path, params=list(http.query), **arguments
            )
            check(answered)
            return decode(answer, answered.content, lenient=True)


def _one_by_one(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
