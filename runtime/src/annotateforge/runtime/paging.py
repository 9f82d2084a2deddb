"""Pages of a list by keyset: a page token holds the sort key of the last row that was seen, and nothing
else.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson

from annotateforge.runtime.errors import InvalidArgument

Row = TypeVar("Row")

_LONGEST_TOKEN = 2000


@dataclass(frozen=True, slots=True)
class Page:
    """What a list request asks for."""

    size: int
    """Most rows on the page."""
    cursor: tuple[Any, ...] | None
    """Sort key of the last row of the page before; None on the first page."""

    @property
    def limit(self) -> int:
        """Rows to select: one more than the page shows, which tells whether there is a next page."""
        return self.size + 1

    def cut(self, rows: Sequence[Row], key: Callable[[Row], tuple[Any, ...]]) -> tuple[Sequence[Row], str]:
        """The rows of the page and the token of the next one ("" on the last), given `limit` selected
        rows.
        """
        if len(rows) <= self.size:
            return rows, ""
        return rows[: self.size], page_token(key(rows[self.size - 1]))


def page_token(cursor: tuple[Any, ...]) -> str:
    """Write a sort key of texts, numbers, booleans, UUIDs and datetimes into an opaque token."""
    return base64.urlsafe_b64encode(orjson.dumps([_plain(value) for value in cursor])).rstrip(b"=").decode()


def read_page(
    page_size: int, page_token: str, cursor: Sequence[type] = (), *, default: int = 50, limit: int = 1000
) -> Page:
    """Check what a list request says about its page.

    `cursor` names the types of the sort key, such as `(datetime, UUID)`; a token that holds anything else is
    refused, so that a forged one never reaches SQL. InvalidArgument INVALID_PAGE_SIZE or INVALID_PAGE_TOKEN.
    """
    if not 0 <= page_size <= limit:
        raise InvalidArgument.of_field(
            "INVALID_PAGE_SIZE", "page_size", f"must be 1 to {limit}; leave it out for {default}"
        )
    return Page(page_size or default, _read_token(page_token, cursor) if page_token else None)


def _read_token(token: str, kinds: Sequence[type]) -> tuple[Any, ...]:
    refused = InvalidArgument.of_field(
        "INVALID_PAGE_TOKEN", "page_token", "is not the next_page_token of an earlier page of this list"
    )
    if len(token) > _LONGEST_TOKEN:
        raise refused
    try:
        values = orjson.loads(
            base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        )
        if not isinstance(values, list) or len(values) != len(kinds):
            raise refused
        return tuple(_typed(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise refused from error


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _typed(value: Any, kind: type[Any]) -> Any:
    if kind is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("a time without a zone")
        return moment
    if kind is UUID and isinstance(value, str):
        return UUID(value)
    if kind is float and type(value) in (int, float):
        return float(value)
    if type(value) is not kind or kind not in (int, str, bool):
        raise TypeError(f"{kind.__name__} expected")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("beyond 64 bits")
    if isinstance(value, str) and "\0" in value:
        raise ValueError("a text with U+0000")
    return value
