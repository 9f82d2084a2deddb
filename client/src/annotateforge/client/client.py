# Made by client/make_sync.py of aio/client.py; change that.
"""The Python SDK: every call of the REST API, in terms of the generated messages.

    with Client("http://127.0.0.1:8000", token) as client:
        project = client.find_project("cells")
        for event in client.watch(job.id):
            print(event)

All methods raise ServerRefused with the server's reason, ServerAway when it cannot be reached, and
ClientError for what else went wrong. Lists are iterators that fetch page after page as they are read.
"""

from types import TracebackType
from typing import Self

from annotateforge.client.calls.dataset import DatasetCalls
from annotateforge.client.calls.inference import InferenceCalls
from annotateforge.client.calls.registry import RegistryCalls
from annotateforge.client.calls.trainer import TrainerCalls
from annotateforge.client.transport import Transport


class Client(DatasetCalls, TrainerCalls, RegistryCalls, InferenceCalls):
    """A client of one AnnotateForge server. Safe to use from several threads."""

    def __init__(self, url: str, token: str, *, timeout: float = 130.0) -> None:
        """url: http(s)://host:port of the gateway. timeout: seconds within which a call must be answered; the
        gateway itself gives a call 120. Uploads, downloads and the freezing of data sets may take longer.
        """
        self._transport = Transport(url, token, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()
