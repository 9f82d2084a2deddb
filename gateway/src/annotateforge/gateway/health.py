"""Whether the gateway lives, and whether what it needs is there."""

import asyncio
from collections.abc import Mapping
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from starlette.requests import Request
from starlette.responses import JSONResponse

from annotateforge.gateway.bus_link import BusLink

_CHECK_SECONDS = 2.0


class Health:
    """Answers /healthz and /readyz."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel], bus: BusLink) -> None:
        """`channels` by the service's name."""
        # Its stubs know the synchronous channel alone.
        self._stubs: dict[str, Any] = {
            name: health_pb2_grpc.HealthStub(channel) for name, channel in channels.items()
        }
        self._bus = bus

    async def alive(self, request: Request) -> JSONResponse:
        """200 as long as the process answers at all."""
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> JSONResponse:
        """200 when all services and NATS are there, otherwise 503; says of each whether it is."""
        names = list(self._stubs)
        serving = await asyncio.gather(*(self._serving(name) for name in names))
        checks: dict[str, Any] = dict(zip(names, serving, strict=True)) | {"nats": self._bus.connected}
        missing = [name for name, there in checks.items() if not there]
        body = {"status": "not ready" if missing else "ready", "checks": checks, "missing": missing}
        return JSONResponse(body, 503 if missing else 200, {"cache-control": "no-store"})

    async def _serving(self, name: str) -> bool:
        try:
            answer = await self._stubs[name].Check(
                health_pb2.HealthCheckRequest(), timeout=_CHECK_SECONDS, wait_for_ready=True
            )
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
