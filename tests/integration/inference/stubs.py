"""Clients of services that a test starts itself."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

from annotateforge.api.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from annotateforge.api.registry.v1.registry_service_pb2_grpc import RegistryServiceStub
from annotateforge.runtime.auth import Role, issue_token
from annotateforge.runtime.channel import open_channel


@contextlib.asynccontextmanager
async def registry_stub(address: str, secret: str, role: str) -> AsyncIterator[RegistryServiceStub]:
    """The registry for a role."""
    token = issue_token(secret, Role(role), f"{role}@example.org", timedelta(hours=1))
    async with open_channel(address, lambda: token) as channel:
        yield RegistryServiceStub(channel)


@contextlib.asynccontextmanager
async def inference_stub(address: str, secret: str) -> AsyncIterator[InferenceServiceStub]:
    """The inference service for a viewer."""
    token = issue_token(secret, Role.VIEWER, "viewer@example.org", timedelta(hours=1))
    async with open_channel(address, lambda: token) as channel:
        yield InferenceServiceStub(channel)
