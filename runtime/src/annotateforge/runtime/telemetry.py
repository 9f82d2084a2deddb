"""Structured logs to standard error, and the metrics of RPCs."""

import contextlib
import logging
import logging.config
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

import orjson
import structlog
from prometheus_client import Counter, Histogram
from structlog.typing import EventDict, Processor, WrappedLogger

from annotateforge.runtime.call import current_call

RPCS_HANDLED = Counter(
    "annotateforge_rpcs_handled", "RPCs that have ended, by method and status code.", ["method", "code"]
)
RPC_SECONDS = Histogram(
    "annotateforge_rpc_seconds",
    "Seconds from an RPC's start to its end; of streams until the last message.",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)


@cache
def _series(method: str, code: str) -> tuple[Counter, Histogram]:
    return RPCS_HANDLED.labels(method, code), RPC_SECONDS.labels(method)


def count_rpc(method: str, code: str, seconds: float) -> None:
    """Note an RPC that has ended. Both labels come from the server, never from a caller."""
    handled, duration = _series(method, code)
    handled.inc()
    duration.observe(seconds)


def configure_logging(
    service: str,
    log_format: Literal["console", "json"] = "json",
    log_level: Literal["debug", "info", "warning", "error"] = "info",
) -> None:
    """Send structlog's and the standard library's log lines to standard error in one form.

    JSON lines have `time` (RFC 3339, UTC), `level`, `event`, `service` and whatever is bound, such as
    `request_id` and `job_id`.
    """

    def add_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_service,
        structlog.processors.StackInfoRenderer(),
    ]
    if log_format == "json":
        exceptions: list[Processor] = [structlog.processors.format_exc_info]
        rendering: Processor = structlog.processors.JSONRenderer(serializer=_to_json)
    else:
        exceptions = []
        rendering = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            timestamp_key="time",
            # The default shows local variables, and with them tokens and keys.
            exception_formatter=structlog.dev.plain_traceback,
        )
    # Our own lines go straight out: on their way through the standard library they would cost twice as much.
    structlog.configure(
        processors=[*shared, *exceptions, rendering],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(log_level),
        cache_logger_on_first_use=True,
    )
    _configure_standard_library([*shared, structlog.stdlib.ExtraAdder()], [*exceptions, rendering], log_level)


def _configure_standard_library(before: list[Processor], rendering: list[Processor], log_level: str) -> None:
    """Give the lines of libraries the same form."""
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": before,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    }
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "structured"}
    # These tell of every message or request at info.
    talkative = ("grpc", "nats", "httpx", "httpcore", "asyncio", "uvicorn.access")
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"structured": formatter},
            "handlers": {"stderr": handler},
            "root": {"handlers": ["stderr"], "level": log_level.upper()},
            "loggers": {name: {"level": "WARNING"} for name in talkative},
        }
    )


def _to_json(event: Mapping[str, Any], **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z).decode()


@contextlib.contextmanager
def bind(**values: Any) -> Iterator[None]:
    """Put values such as `job_id` on every log line that is written in the context, the RPC's own line
    included.

    What is bound in a request's handler stays on the RPC's line after the context, because that line is
    written at the end.
    """
    texts = {name: str(value) for name, value in values.items()}
    call = current_call.get()
    if call is not None:
        call.noted.update(texts)
    before = {name: value for name, value in structlog.contextvars.get_contextvars().items() if name in texts}
    structlog.contextvars.bind_contextvars(**texts)
    try:
        yield
    finally:
        # Not by tokens: a generator that its reader dropped is closed in another context, where they are
        # invalid.
        structlog.contextvars.unbind_contextvars(*texts)
        structlog.contextvars.bind_contextvars(**before)
