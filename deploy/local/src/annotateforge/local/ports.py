"""Ports of a local installation."""

import asyncio
import errno
import socket
from collections.abc import Mapping

from annotateforge.local.engine import EngineError

HOST = "127.0.0.1"

_PROBE_INTERVAL = 0.1


def is_free(port: int) -> bool:
    """Whether a server could listen on a port of this machine."""
    return _problem(port) is None


async def await_free(ports: Mapping[str, int], patience: float) -> None:
    """Return when all ports, by the name of the process that will have them, are free; 0 always is.

    patience: seconds that processes of an earlier run, which were told to stop, are given to leave.
    EngineError names the port that cannot be used.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    for name, port in ports.items():
        while port and (problem := _problem(port)) is not None:
            if problem.errno != errno.EADDRINUSE or loop.time() > end:
                raise EngineError(
                    f"Port {port}, for the {name}, cannot be used ({problem.strerror}). "
                    "Stop what uses it, or choose another with --port (it takes five in a row)."
                )
            await asyncio.sleep(_PROBE_INTERVAL)


def _problem(port: int) -> OSError | None:
    with socket.socket() as probe:
        # What ended a moment ago does not keep the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None
