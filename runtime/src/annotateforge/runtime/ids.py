"""Identifiers: UUIDs of version 7, so that they sort by the time at which they were made (RFC 9562)."""

import os
import re
import threading
import time
from uuid import UUID

from annotateforge.runtime.errors import InvalidArgument

_CANONICAL = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_lock = threading.Lock()
_last_ticks = 0


def new_id() -> UUID:
    """A new identifier, larger than every one that this process made before."""
    global _last_ticks  # noqa: PLW0603 - monotonic within the process, which needs one place to remember
    with _lock:
        # 48 bits of milliseconds followed by 12 bits of their fractions: RFC 9562, section 6.2, method 3.
        ticks = (time.time_ns() << 12) // 1_000_000
        ticks = max(ticks, _last_ticks + 1)
        _last_ticks = ticks
    milliseconds, fraction = ticks >> 12, ticks & 0xFFF
    tail = int.from_bytes(os.urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | tail)


def parse_id(text: str, field: str) -> UUID:
    """The identifier that a caller wrote into `field`. InvalidArgument INVALID_ID when it is none."""
    if not text:
        raise InvalidArgument.of_field(
            "INVALID_ID", field, "is required: an id such as those that lists answer"
        )
    if not _CANONICAL.fullmatch(text):
        raise InvalidArgument.of_field(
            "INVALID_ID", field, "is no id; an id has the form 01890a5d-ac96-774b-bcce-b302099a8057"
        )
    return UUID(text)
