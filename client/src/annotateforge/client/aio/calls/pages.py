"""Lists that come in pages."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Protocol, TypeVar

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from annotateforge.client.aio.transport import Transport

PAGE_SIZE = 200
"""Items that are asked for at a time."""


class Page(Protocol):
    """The answer to a list call."""

    next_page_token: str


P = TypeVar("P", bound=Page)
T = TypeVar("T")


async def listed(
    transport: Transport,
    service: ServiceDescriptor,
    method: str,
    request: Message,
    answer: type[P],
    items: Callable[[P], Iterable[T]],
) -> AsyncIterator[T]:
    """All items of a list, fetched page after page as they are needed. `request` is changed on the way."""
    pager: Any = request
    kind: Any = answer
    if not pager.page_size:
        pager.page_size = PAGE_SIZE
    while True:
        page: P = await transport.call(service, method, pager, kind)
        for item in items(page):
            yield item
        if not page.next_page_token:
            return
        pager.page_token = page.next_page_token
