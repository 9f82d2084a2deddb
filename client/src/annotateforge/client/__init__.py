"""The Python SDK of AnnotateForge Training and its command line."""

from annotateforge.client.aio.client import AsyncClient
from annotateforge.client.client import Client
from annotateforge.client.errors import ClientError, ServerAway, ServerRefused, WrongArgument
from annotateforge.client.messages import to_dict

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "ServerAway",
    "ServerRefused",
    "WrongArgument",
    "to_dict",
]
