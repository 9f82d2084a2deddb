"""The Python SDK of AnnotateForge Training and its command line."""

from annotateforge.client.client import Client
from annotateforge.client.errors import ClientError, ServerAway, ServerRefused, WrongArgument

__all__ = ["Client", "ClientError", "ServerAway", "ServerRefused", "WrongArgument"]
