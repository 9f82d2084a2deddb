"""Lists that come in pages, and enums by their short names."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from annotateforge.client.errors import WrongArgument
from annotateforge.client.transport import Transport
from annotateforge.runtime.rest.names import choices, enum_numbers

PAGE_SIZE = 200
"""Items that are asked for at a time."""


class Page(Protocol):
    """The answer to a list call."""

    next_page_token: str


P = TypeVar("P", bound=Page)
T = TypeVar("T")


def listed(
    transport: Transport,
    service: ServiceDescriptor,
    method: str,
    request: Message,
    answer: type[P],
    items: Callable[[P], Iterable[T]],
) -> Iterator[T]:
    """All items of a list, fetched page after page as they are needed. `request` is changed on the way."""
    pager: Any = request
    kind: Any = answer
    if not pager.page_size:
        pager.page_size = PAGE_SIZE
    while True:
        page: P = transport.call(service, method, pager, kind)
        yield from items(page)
        if not page.next_page_token:
            return
        pager.page_token = page.next_page_token


def enum_value(enum: Any, name: str, what: str) -> Any:
    """The value of a generated enum by its short name, such as "detect"; 0 for an empty name.

    WrongArgument names the choices when there is no such one.
    """
    if not name:
        return 0
    number = enum_numbers(enum.DESCRIPTOR).get(name, 0)
    if not number:
        known = ", ".join(choices(enum.DESCRIPTOR))
        raise WrongArgument(f"There is no {what} {name!r}; choose one of {known}.")
    return number
