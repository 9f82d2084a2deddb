"""Which role a person has of whom an OpenID Connect provider says something."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

RoleName = Literal["worker", "viewer", "editor", "admin"]

_RANKED: Final[tuple[RoleName, ...]] = ("worker", "viewer", "editor", "admin")


@dataclass(frozen=True, slots=True)
class RoleMapping:
    """How an issuer's claims become a role."""

    claim: str = "annotateforge_role"
    """Claim that holds one name or a list of them. Where there is none of this name, dots lead into objects:
    `realm_access.roles`.
    """
    names: Mapping[str, RoleName] = field(default_factory=dict)
    """The role by what the claim calls it, such as a group; when empty, a role goes by its own name."""
    default: RoleName | None = None
    """Role of whom the claim gives none."""

    def role_of(self, claims: Mapping[str, Any]) -> RoleName | None:
        """The highest role that the claims give; None when they give none and there is no default."""
        known: Mapping[str, RoleName] = self.names or {role: role for role in _RANKED}
        given = {known[name] for name in self.named(claims) if name in known}
        return max(given, key=_RANKED.index, default=self.default)

    def named(self, claims: Mapping[str, Any]) -> list[str]:
        """What the claim holds, whether it means anything here or not."""
        found = claims.get(self.claim) if self.claim in claims else _inside(claims, self.claim.split("."))
        if isinstance(found, str):
            return [found]
        return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _inside(claims: object, path: Iterable[str]) -> object:
    for name in path:
        claims = claims.get(name) if isinstance(claims, Mapping) else None
    return claims
