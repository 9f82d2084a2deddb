from typing import Any

import pytest

from annotateforge.runtime.provider_roles import RoleMapping

GROUPS = RoleMapping("groups", {"/labellers": "editor", "/lab": "viewer", "/it": "admin"})
NESTED = RoleMapping("realm_access.roles")


@pytest.mark.parametrize(
    ("mapping", "claims", "role"),
    [
        (RoleMapping(), {"annotateforge_role": "editor"}, "editor"),
        (RoleMapping(), {"annotateforge_role": ["viewer", "admin", "editor"]}, "admin"),
        (RoleMapping(), {"annotateforge_role": "worker"}, "worker"),
        (RoleMapping(), {"annotateforge_role": ["worker", "viewer"]}, "viewer"),
        (RoleMapping(), {"annotateforge_role": "Editor"}, None),
        (RoleMapping(), {"annotateforge_role": {"editor": True}}, None),
        (RoleMapping(), {"annotateforge_role": [1, None, "viewer"]}, "viewer"),
        (RoleMapping(), {}, None),
        (RoleMapping(default="viewer"), {}, "viewer"),
        (RoleMapping(default="viewer"), {"annotateforge_role": "editor"}, "editor"),
        (GROUPS, {"groups": ["/lab", "/labellers"]}, "editor"),
        (GROUPS, {"groups": ["/guests"]}, None),
        # What is mapped counts alone: a group that somebody has called admin is no admin.
        (GROUPS, {"groups": ["admin"]}, None),
        (NESTED, {"realm_access": {"roles": ["viewer", "offline_access"]}}, "viewer"),
        (NESTED, {"realm_access": "roles"}, None),
        (NESTED, {"realm_access": {}}, None),
        # A claim may have dots in its name.
        (RoleMapping("https://lab.example/role"), {"https://lab.example/role": "admin"}, "admin"),
    ],
)
def test_the_highest_role_that_the_claims_give_counts(
    mapping: RoleMapping, claims: dict[str, Any], role: str | None
) -> None:
    assert mapping.role_of(claims) == role
