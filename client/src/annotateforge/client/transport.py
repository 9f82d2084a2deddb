"""Calls the gateway over REST, by the same binding tables with which the gateway answers.

No route is written here: method, path, query and body follow from the `google.api.http` options of the protos.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from annotateforge.client.errors import ClientError, Detail, ServerAway, ServerRefused
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rest.codec import decode
from annotateforge.runtime.rest.request import write_request
from annotateforge.runtime.rest.rules import Binding, bindings_of

M = TypeVar("M", bound=Message)

# A large import is read by the server only after its last byte has come; that may take minutes.
_TRANSFER_TIMEOUT = httpx.Timeout(10, read=3600, write=300)


class Transport:
    """A connection pool to one gateway. Safe to use from several threads."""

    def __init__(self, url: str, token: str, timeout: float) -> None:
        """url: http(s)://host:port; timeout: seconds within which a call must be answered."""
        self.url = url.rstrip("/")
        self.headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            self._http = httpx.Client(
                base_url=self.url,
                headers=self.headers,
                timeout=httpx.Timeout(timeout, connect=min(timeout, 10)),
                transport=httpx.HTTPTransport(retries=2),
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise ClientError(f"{url!r} is no address of a server, such as http://127.0.0.1:8000.") from error

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
        """Call a method and give what REST answers: the resource that its `response_body` picks, or the response.

        ServerRefused with the server's reason; ServerAway when it cannot be reached.
        """
        http = write_request(_bindings(service)[method], request)
        with _translated(self.url):
            answered = self._http.request(
                http.method,
                http.path,
                params=list(http.query),
                content=http.body,
                headers={"content-type": "application/json"} if http.body is not None else None,
            )
        _check(answered)
        return decode(answer, answered.content, lenient=True)

    def send(self, service: ServiceDescriptor, method: str, request: Message, answer: type[M]) -> M:
        """Like `call`, for a method whose body is the bytes of a field."""
        http = write_request(_bindings(service)[method], request)
        with _translated(self.url):
            answered = self._http.request(
                http.method,
                http.path,
                params=list(http.query),
                content=http.body,
                headers={"content-type": "application/octet-stream"},
            )
        _check(answered)
        return decode(answer, answered.content, lenient=True)

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
        """Call an upload method. `first` is its first message, with the header; then either the raw `chunks` or
        several `files`, name and bytes, follow.
        """
        http = write_request(_bindings(service)[method], first)
        parts: dict[str, Any] = {}
        if files is not None:
            parts["files"] = [("file", (name, content)) for name, content in files]
        else:
            parts["content"] = chunks
            parts["headers"] = {"content-type": "application/octet-stream"}
        with _translated(self.url):
            answered = self._http.request(
                http.method, http.path, params=list(http.query), timeout=_TRANSFER_TIMEOUT, **parts
            )
        _check(answered)
        return decode(answer, answered.content, lenient=True)

    def download(
        self, service: ServiceDescriptor, method: str, request: Message, write: Callable[[bytes], object]
    ) -> int:
        """Call a download method and hand its bytes to `write`; how many there were."""
        http = write_request(_bindings(service)[method], request)
        count = 0
        with (
            _translated(self.url),
            self._http.stream(
                http.method, http.path, params=list(http.query), timeout=_TRANSFER_TIMEOUT
            ) as answered,
        ):
            if answered.is_error:
                answered.read()
            _check(answered)
            for chunk in answered.iter_raw():
                write(chunk)
                count += len(chunk)
        return count


@cache
def _bindings(service: ServiceDescriptor) -> dict[str, list[Binding]]:
    found: dict[str, list[Binding]] = {}
    for binding in bindings_of(service):
        found.setdefault(binding.method.name, []).append(binding)
    return found


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise ServerAway(f"{url} did not answer in time. It may be busy; try again.") from error
    except httpx.TransportError as error:
        raise ServerAway(
            f"{url} cannot be reached ({error}). Is it running? `annotateforge up` starts a server on this machine."
        ) from error
    except DomainError as error:
        raise ClientError(f"The server's answer was not understood: {error.message}") from error


def _check(answered: httpx.Response) -> None:
    if answered.is_success:
        return
    try:
        error = answered.json()["error"]
        details = tuple(
            Detail(str(detail.get("field", "")), str(detail.get("description", "")))
            for detail in error.get("details", ())
        )
        refused = ServerRefused(
            int(error["code"]), str(error["status"]), str(error["reason"]), str(error["message"]), details
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ClientError(
            f"{answered.url} answered {answered.status_code} without saying why. Is it an AnnotateForge server?"
        ) from None
    raise refused
