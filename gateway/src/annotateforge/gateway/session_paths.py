"""/api/v1/session in the OpenAPI document."""

from typing import Any

from annotateforge.gateway.schemas import Schema, reference
from annotateforge.runtime.auth import Role

_PROBLEM = {"$ref": "#/components/responses/Problem"}
_SESSION = {
    "description": "Who is signed in.",
    "content": {"application/json": {"schema": reference("Session")}},
}


def path_item() -> dict[str, Any]:
    """Its three operations."""
    sign_in = _operation(
        "SignIn",
        "Sign in to the web app",
        "Exchanges a token for a cookie that the browser's scripts cannot read; pages of this server only.",
        {"200": _SESSION, "default": _PROBLEM},
    )
    sign_in["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": reference("SignInRequest")}},
    }
    return {
        "get": _operation(
            "GetSession",
            "Who is signed in",
            "Answers without a principal when nobody is signed in, or no longer.",
            {"200": _SESSION, "default": _PROBLEM},
        ),
        "post": sign_in,
        "delete": _operation(
            "SignOut",
            "Sign out of the web app",
            "Makes the browser forget the token, which stays valid.",
            {"204": {"description": "Done."}, "default": _PROBLEM},
        ),
    }


def schemas() -> dict[str, Schema]:
    """What travels."""
    principal: Schema = {
        "type": "object",
        "description": "Who calls.",
        "properties": {
            "subject": {"type": "string", "description": "The name that the token was made for."},
            "role": {
                "type": "string",
                "enum": [role.value for role in Role],
                "description": "What it may do.",
            },
        },
        "required": ["subject", "role"],
    }
    return {
        "Principal": principal,
        "Session": {
            "type": "object",
            "description": "A session of the web app.",
            "properties": {
                "principal": {**reference("Principal"), "description": "Left out when nobody is signed in."},
                "provider": {
                    **reference("SignInProvider"),
                    "description": "Left out of what signing in answers, and where none is set up.",
                },
            },
        },
        "SignInProvider": {
            "type": "object",
            "description": "An OpenID Connect provider at whose page people may sign in.",
            "properties": {
                "name": {"type": "string", "description": "What people call it."},
                "url": {
                    "type": "string",
                    "description": (
                        "Where a browser begins; `return_to` in the query is the path of the page to come"
                        " back to."
                    ),
                },
            },
            "required": ["name", "url"],
        },
        "SignInRequest": {
            "type": "object",
            "properties": {
                "token": {"type": "string", "description": "What `annotateforge token create` prints."}
            },
            "required": ["token"],
        },
    }


def _operation(
    operation_id: str, summary: str, description: str, responses: dict[str, Any]
) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "tags": ["gateway"],
        "summary": summary,
        "description": description,
        "security": [],
        "responses": responses,
    }
