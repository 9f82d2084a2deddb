"""The WebSocket on which a job's events arrive: /api/v1/training/ws/{job_id}?token=&after=."""

import contextlib
import re

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from annotateforge.api.options.v1 import options_pb2
from annotateforge.api.trainer.v1 import trainer_service_pb2
from annotateforge.gateway.credentials import presented_token
from annotateforge.gateway.hub import Hub
from annotateforge.gateway.job_store import JobStore
from annotateforge.gateway.websocket_protocol import EXTENSION, FrameProtocol
from annotateforge.runtime.auth import TokenVerifier, access_roles, allows, bearer
from annotateforge.runtime.errors import Code, DomainError, InvalidArgument, PermissionDenied

PATH = "/api/v1/training/ws/{job_id}"

ENDED = 1000
"""The job has ended and its last event was sent."""
FAILED = 1011
"""Something went wrong on our side."""
TRY_AGAIN = 1013
"""A service that is needed is away."""
BAD_REQUEST = 4400
"""A parameter is wrong."""
UNAUTHENTICATED = 4401
"""The token is missing, expired or none of this installation's."""
NOT_ALLOWED = 4403
"""The token's role may not watch jobs."""
NOT_FOUND = 4404
"""There is no such job."""

CLOSE_CODES = {
    Code.UNAUTHENTICATED: UNAUTHENTICATED,
    Code.PERMISSION_DENIED: NOT_ALLOWED,
    Code.NOT_FOUND: NOT_FOUND,
    Code.INVALID_ARGUMENT: BAD_REQUEST,
    Code.UNAVAILABLE: TRY_AGAIN,
    Code.DEADLINE_EXCEEDED: TRY_AGAIN,
}

_NUMBER = re.compile(r"[0-9]{1,18}")
# A close frame's reason is at most 123 bytes (RFC 6455, section 5.5).
_REASON_BYTES = 123
_WATCH = trainer_service_pb2.DESCRIPTOR.services_by_name["TrainerService"].methods_by_name["WatchJob"]

log = structlog.get_logger()


class JobSocket:
    """Serves WebSockets that watch one job each."""

    def __init__(self, hub: Hub, store: JobStore, tokens: TokenVerifier) -> None:
        self._hub = hub
        self._store = store
        self._tokens = tokens
        # Watching over gRPC and over the WebSocket is the same right.
        self._roles = access_roles(_WATCH.GetOptions().Extensions[options_pb2.access].roles)

    async def serve(self, socket: WebSocket) -> None:
        """Accept, check, send events until the job has ended or the client leaves.

        Refusals come after accepting: a browser shows a page the close code, but not the status of a refused
        handshake.
        """
        await socket.accept()
        job_id = socket.path_params["job_id"]
        peer: FrameProtocol = socket.scope["extensions"][EXTENSION]
        code, reason = ENDED, "The job has ended."
        try:
            after = await self._admit(socket, job_id)
            await self._hub.serve(job_id, after, peer)
        except DomainError as error:
            code, reason = CLOSE_CODES.get(error.code, FAILED), f"{error.reason}: {error.message}"
        except (OSError, WebSocketDisconnect):
            # The client went away.
            return
        except Exception:
            log.exception("cannot serve a watcher", job_id=job_id)
            code, reason = FAILED, "INTERNAL: Something went wrong on our side."
        with contextlib.suppress(OSError, WebSocketDisconnect):
            await socket.close(code, reason.encode()[:_REASON_BYTES].decode(errors="ignore"))

    async def _admit(self, socket: WebSocket, job_id: str) -> int:
        """The sequence after which the client wants events. DomainError when it may not have them."""
        given = socket.query_params
        for name in given:
            if name not in {"token", "after"}:
                raise InvalidArgument.of_field(
                    "UNKNOWN_PARAMETER", name, "is not a parameter here; the parameters are token and after"
                )
        headers = dict(socket.scope["headers"])
        token = bearer(socket.headers.get("authorization")) or given.get("token")
        token = token or presented_token(headers, safe=False)
        principal = await self._tokens.verify(token)
        if not allows(self._roles, principal):
            raise PermissionDenied("ROLE_NOT_ALLOWED", f"The role {principal.role} may not watch jobs.")
        after = given.get("after") or "0"
        if not _NUMBER.fullmatch(after):
            raise InvalidArgument.of_field(
                "INVALID_VALUE", "after", "must be the sequence of an event, a whole number from 0"
            )
        await self._store.position(job_id, token)
        return int(after)
