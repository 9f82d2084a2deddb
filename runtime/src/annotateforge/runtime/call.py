"""What is known about the call that is being served: request id, caller, token, and whether the server is
stopping.
"""

import asyncio
import re
from contextvars import ContextVar
from dataclasses import dataclass, field

from annotateforge.runtime.auth import Principal
from annotateforge.runtime.ids import new_id

REQUEST_ID_KEY = "x-request-id"
"""Metadata key, and HTTP header, that carries the request id from process to process."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(slots=True)
class CallContext:
    """What the server knows about one call."""

    request_id: str
    principal: Principal | None = None
    """Who calls; None for methods that need no token."""
    token: str | None = None
    """The token that the caller sent."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the server has been told to stop."""
    noted: dict[str, str] = field(default_factory=dict)
    """Values for the call's log line, see `telemetry.bind`."""


current_call: ContextVar[CallContext | None] = ContextVar("annotateforge_call", default=None)
"""The call that is being served here; None outside a handler."""


def caller() -> Principal:
    """Who makes the call that is being served. LookupError outside a call or where it needs no token."""
    call = current_call.get()
    if call is None or call.principal is None:
        raise LookupError("There is no authenticated call here.")
    return call.principal


def caller_token() -> str | None:
    """The token of whoever makes the call that is being served, to call another service in their name."""
    call = current_call.get()
    return None if call is None else call.token


def request_id() -> str | None:
    """The id of the request that is being served, which all its log lines carry."""
    call = current_call.get()
    return None if call is None else call.request_id


def stopping() -> asyncio.Event:
    """Set once the server has been told to stop: long polls and watches end when they see it, others run to
    their end.
    """
    call = current_call.get()
    return asyncio.Event() if call is None else call.stopping


def accepted_request_id(proposed: str | None) -> str:
    """The request id that a client sent where it is a sane one, otherwise a new one."""
    if proposed and _REQUEST_ID.fullmatch(proposed):
        return proposed
    return str(new_id())
