"""Keeps the training off the network.

ultralytics looks for updates, fonts, test weights, and sends usage events. It is told not to (see `offline`),
and in case that some call is missed, or new in a later version, an audit hook refuses it: nothing leaves the
worker that its operator did not allow. Source: PEP 578; the names of the events are in the library reference.
"""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

MARK = "refused to use the network"
"""Every refused attempt is printed to standard error with these words."""

_RESOLVES = frozenset(
    {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}
)
_REACHES = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_DOWNLOADERS = frozenset({"curl", "wget", "pip", "uv"})

_allowed = False


class NetworkRefused(ConnectionError):
    """Something wanted to use the network."""


def refuse() -> None:
    """From now on, in this process and those it forks, names are not resolved, nothing is connected to, and
    no program is started that would do it instead.

    Sockets of the file system, over which data loaders talk to each other, are left alone. An audit hook
    cannot be taken out again.
    """
    sys.addaudithook(_check)


@contextlib.contextmanager
def allowed() -> Iterator[None]:
    """Let the network be used within the context."""
    global _allowed  # noqa: PLW0603 -- an audit hook belongs to the process, and so does its state
    _allowed = True
    try:
        yield
    finally:
        _allowed = False


def _check(event: str, arguments: tuple[Any, ...]) -> None:
    if _allowed:
        return
    target = _target(event, arguments)
    if target is not None:
        print(f"{MARK}: {event} {target!r}", file=sys.stderr, flush=True)
        raise NetworkRefused(f"The training may not use the network ({target!r}).")


def _target(event: str, arguments: tuple[Any, ...]) -> object:
    """What the event reaches out to; None for one that stays on this machine."""
    if event in _RESOLVES:
        return arguments[0]
    if event in _REACHES:
        return None if arguments[0].family == socket.AF_UNIX else arguments[1]
    if event == "subprocess.Popen":
        program, command, *_ = arguments
        return command if os.path.basename(os.fsdecode(program)) in _DOWNLOADERS else None
    return None
