"""Who may call which method, read from the `(access)` options of the protos."""

from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor

from annotateforge.api.options.v1 import options_pb2
from annotateforge.runtime.auth import Role, access_roles


@dataclass(frozen=True, slots=True)
class MethodAccess:
    """Who may call one method. No role at all means nobody."""

    roles: frozenset[Role]
    open: bool = False
    """Whether it needs no token at all (health, reflection)."""

    @property
    def needed(self) -> str:
        """The roles for people, such as `editor or worker`."""
        return " or ".join(sorted(self.roles)) or "a role that nobody has"


OPEN = MethodAccess(frozenset(), open=True)


def method_access(services: Iterable[str]) -> dict[str, MethodAccess]:
    """Access by method path of the services with these full names; a method without the option allows
    nobody.
    """
    found = {}
    for name in services:
        service: ServiceDescriptor = descriptor_pool.Default().FindServiceByName(name)
        for method in service.methods:
            roles = method.GetOptions().Extensions[options_pb2.access].roles
            found[f"/{name}/{method.name}"] = MethodAccess(access_roles(roles))
    return found


def methods_without_access(services: Iterable[str]) -> list[str]:
    """Paths of methods that nobody may call because their proto does not say who may."""
    return [path for path, access in method_access(services).items() if not access.roles]
