"""The Python SDK: every call of the REST API, in terms of the generated messages.

    async with AsyncClient("http://127.0.0.1:8000", token) as client:
        project = await client.find_project("cells")
        async for event in client.watch(job.id):
            print(event)

All methods raise ServerRefused with the server's reason, ServerAway when it cannot be reached, and
ClientError for what else went wrong. Lists are iterators that fetch page after page as they are read.
"""

from types import TracebackType
from typing import Self

from annotateforge.client.aio.calls.dataset import DatasetCalls
from annotateforge.client.aio.calls.inference import InferenceCalls
from annotateforge.client.aio.calls.registry import RegistryCalls
from annotateforge.client.aio.calls.trainer import TrainerCalls
from annotateforge.client.aio.transport import Transport


class AsyncClient(DatasetCalls, TrainerCalls, RegistryCalls, InferenceCalls):
    """A client of one AnnotateForge server. Safe to use by several tasks of one event loop."""

    def __init__(self, url: str, token: str, *, timeout: float = 130.0) -> None:
        """url: http(s)://host:port of the gateway. timeout: seconds within which a call must be answered; the
        gateway itself gives a call 120. Uploads, downloads and the freezing of data sets may take longer.
        """
        self._transport = Transport(url, token, timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()
