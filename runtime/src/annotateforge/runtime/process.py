"""The life of a process: read the settings, start, say that it is ready, wait for a signal, stop."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import NoReturn, Protocol, TypeVar

import orjson
import structlog
import uvloop
from prometheus_client import start_http_server
from pydantic import ValidationError

from annotateforge.runtime.heap import keep_heap
from annotateforge.runtime.open_files import allow_open_files
from annotateforge.runtime.settings import ProcessSettings
from annotateforge.runtime.telemetry import configure_logging

EXIT_OK = 0
EXIT_FAILED = 1
"""It could not start, or a part of it failed while it ran."""
EXIT_SETTINGS = 2
"""The settings are missing or wrong."""

log = structlog.get_logger()


class App(Protocol):
    """What `running` yields once the process can be used."""

    @property
    def address(self) -> str:
        """Where it is reached; empty for a process that serves nothing."""


S = TypeVar("S", bound=ProcessSettings)


def run(name: str, settings: type[S], running: Callable[[S], AbstractAsyncContextManager[App]]) -> NoReturn:
    """Run a process until SIGTERM or SIGINT and leave it with an exit code.

    `running` is entered with the settings from the environment; once it has yielded, `{"address": …}` and a
    newline go to the descriptor `ready_fd`. A signal leaves the context; a second one exits at once. When a
    task group inside `running` fails, the process ends with 1. Exit codes: 0 after a signal, 1 failed, 2
    settings, 128 + signal when it was told twice.
    """
    try:
        read = settings.read()
    except ValidationError as error:
        print(f"{name}: the settings are not right.", file=sys.stderr)
        for problem in error.errors(include_input=False, include_url=False):
            variable = "ANNOTATEFORGE_" + "_".join(map(str, problem["loc"])).upper()
            print(f"  {variable}: {problem['msg']}", file=sys.stderr)
        sys.exit(EXIT_SETTINGS)
    configure_logging(name, read.log_format, read.log_level)
    keep_heap()
    allow_open_files()
    try:
        uvloop.run(_live(read, running))
    except Exception:
        log.exception("failed")
        sys.exit(EXIT_FAILED)
    sys.exit(EXIT_OK)


async def _live(settings: S, running: Callable[[S], AbstractAsyncContextManager[App]]) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    started = False

    def on_signal(number: signal.Signals) -> None:
        if told.is_set():
            log.warning("told twice, exits at once", signal=number.name)
            os._exit(128 + number)
        told.set()
        log.info("stopping", signal=number.name)
        if not started and main is not None:
            main.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    try:
        async with running(settings) as app:
            with _metrics(settings) as metrics:
                # What lives now lives as long as the process: the collector need not look at it again.
                gc.collect()
                gc.freeze()
                started = True
                _say_ready(
                    settings.ready_fd, {"address": app.address} | ({"metrics": metrics} if metrics else {})
                )
                log.info("ready", address=app.address)
                await told.wait()
    except asyncio.CancelledError:
        # Only a signal during the start cancels the main task.
        if not told.is_set():
            raise
    log.info("stopped")


@contextlib.contextmanager
def _metrics(settings: ProcessSettings) -> Iterator[str | None]:
    """Answer Prometheus in a thread of its own where the settings say so; gives the address."""
    if settings.metrics_listen is None:
        yield None
        return
    host, _, port = settings.metrics_listen.rpartition(":")
    server, thread = start_http_server(int(port), host)
    try:
        yield f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(1)


def _say_ready(descriptor: int | None, addresses: dict[str, str]) -> None:
    if descriptor is None:
        return
    # Whoever waited may be gone by now, which is no reason to stop.
    with contextlib.suppress(OSError), os.fdopen(descriptor, "wb") as ready:
        ready.write(orjson.dumps(addresses) + b"\n")
