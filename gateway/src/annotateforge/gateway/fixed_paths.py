"""What every gateway has beside the routes of the protos, for the OpenAPI document: the WebSocket, health,
metrics, and the form of errors.
"""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from annotateforge.api.trainer.v1 import event_pb2
from annotateforge.gateway import session, session_paths, websocket
from annotateforge.gateway.comments import proto_comments
from annotateforge.gateway.flat_events import LIVE_ONLY
from annotateforge.gateway.schemas import Schema, field_schema, message_schema, reference
from annotateforge.runtime.errors import Code
from annotateforge.runtime.rest.names import message_of

EVENT = event_pb2.JobEvent.DESCRIPTOR

INTRODUCTION = """\
Every call needs a token in `Authorization: Bearer …`, made by `annotateforge token create`; the web app's
pages send it in a cookie. Names are snake_case, times RFC 3339 in UTC, 64-bit integers are numbers, and enums
are short lower-case names.

Fields that are not set are left out if they are objects or documented as such, otherwise they have their
default. Lists answer a page and `next_page_token`, which as `page_token` asks for the next page; it is empty
on the last. Unknown parameters and fields are refused. Every answer carries `X-Request-Id`, which logs carry
too.\
"""

DOWNLOAD_HEADERS: dict[str, Schema] = {
    "ETag": {
        "description": "Equal tags mean equal bytes.",
        "schema": {"type": "string"},
    },
    "Accept-Ranges": {"schema": {"type": "string", "const": "bytes"}},
    "Content-Disposition": {
        "description": "The name under which to save the content.",
        "schema": {"type": "string"},
    },
}

_CLOSE_CODES = {
    websocket.ENDED: "The job has ended; its last event was sent.",
    websocket.FAILED: "Something went wrong on the server's side. Connect again with `after`.",
    1012: "The server is restarting. Connect again with `after`.",
    websocket.TRY_AGAIN: "A service is away. Connect again with `after` in a moment.",
    websocket.BAD_REQUEST: "A parameter is wrong.",
    websocket.UNAUTHENTICATED: "The token is missing, expired or none of this installation's.",
    websocket.NOT_ALLOWED: "The token's role may not watch jobs.",
    websocket.NOT_FOUND: "There is no such job.",
}


def paths() -> dict[str, dict[str, Any]]:
    """Path items of what is no binding."""
    return {
        websocket.PATH: {"get": _websocket()},
        session.PATH: session_paths.path_item(),
        "/api/v1/openapi.json": {
            "get": _open("GetOpenApi", "This document", {"application/json": {"schema": {"type": "object"}}})
        },
        "/docs": {
            "get": _open("GetDocs", "This document for people", {"text/html": {"schema": {"type": "string"}}})
        },
        "/healthz": {
            "get": _open(
                "GetHealth", "Whether the gateway lives", {"application/json": {"schema": {"type": "object"}}}
            )
        },
        "/readyz": {"get": _readiness()},
        "/metrics": {
            "get": {
                "operationId": "GetMetrics",
                "tags": ["gateway"],
                "summary": "Metrics of this gateway in Prometheus' text format",
                "description": "Needs the role `viewer`.",
                "responses": {
                    "200": {
                        "description": "The metrics.",
                        "content": {"text/plain": {"schema": {"type": "string"}}},
                    },
                    "default": {"$ref": "#/components/responses/Problem"},
                },
            }
        },
    }


def responses() -> dict[str, Any]:
    """The one form of all errors."""
    return {
        "Problem": {
            "description": "What went wrong: a status, a stable reason, and what to do about it.",
            "content": {"application/json": {"schema": reference("ErrorResponse")}},
        }
    }


def schemas() -> dict[str, Schema]:
    """Schemas of errors and of the WebSocket's messages."""
    messages = {_message_name(field): _watch_message(field) for field in EVENT.oneofs[0].fields}
    kinds = {field.name: f"#/components/schemas/{_message_name(field)}" for field in EVENT.oneofs[0].fields}
    return {
        "ErrorResponse": _error_response(),
        "WatchMessage": {
            "description": "A message of the WebSocket: an event of a job, flat.",
            "oneOf": [reference(name) for name in messages],
            "discriminator": {"propertyName": "type", "mapping": kinds},
        },
        **messages,
        **session_paths.schemas(),
    }


def _message_name(payload: FieldDescriptor) -> str:
    return "".join(word.capitalize() for word in payload.name.split("_")) + "Message"


def _watch_message(payload: FieldDescriptor) -> Schema:
    envelope = [field for field in EVENT.fields if field.containing_oneof is None]
    names = {field.name for field in envelope}
    schema = message_schema(message_of(payload), answered=True)
    own = {name: shown for name, shown in schema.get("properties", {}).items() if name not in names}
    live_only = payload.name in LIVE_ONLY
    around = {
        field.name: field_schema(field) for field in envelope if not (live_only and field.name == "sequence")
    }
    always = [name for name in around if name != "time"]
    return {
        "type": "object",
        "description": proto_comments().get(payload.full_name, ""),
        "properties": {"type": {"const": payload.name}, **around, **own},
        "required": ["type", *always, *(name for name in schema.get("required", []) if name not in names)],
    }


def _error_response() -> Schema:
    detail = {
        "type": "object",
        "properties": {
            "field": {"type": "string", "description": "Path of the field, such as `config.epochs`."},
            "description": {"type": "string", "description": "What is wrong with it."},
        },
        "required": ["field", "description"],
    }
    error = {
        "type": "object",
        "properties": {
            "code": {"type": "integer", "description": "The HTTP status."},
            "status": {"type": "string", "enum": [code.name for code in Code]},
            "reason": {"type": "string", "description": "Stable name of the cause, for programs."},
            "message": {"type": "string", "description": "What happened and what to do, for people."},
            "details": {"type": "array", "items": detail},
            "metadata": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "Further facts for programs.",
            },
            "report": {
                "type": "object",
                "description": (
                    "A message that says more. With DATASET_INVALID it is a HealthReport whose findings, the"
                    " worst first, have fewer examples where room lacks."
                ),
            },
        },
        "required": ["code", "status", "reason", "message", "details"],
    }
    return {"type": "object", "properties": {"error": error}, "required": ["error"]}


def _websocket() -> dict[str, Any]:
    codes = "\n".join(f"- `{code}`: {meaning}" for code, meaning in _CLOSE_CODES.items())
    return {
        "operationId": "WatchJob",
        "tags": ["trainer"],
        "summary": "Watch a job over a WebSocket",
        "description": (
            "Sends each event of the job as one text message (see `WatchMessage`): those after the sequence"
            " `after`, then live ones, without gap or repeat. Progress within an epoch is live only. The"
            " connection is closed with 1000 after the job's last event. However often it drops: connect"
            " again with the last sequence that was seen as `after`. The right to watch is checked when the"
            f" connection is made.\n\nClose codes:\n\n{codes}\n\nNeeds the role `viewer`."
        ),
        "security": [{"bearer": []}, {"session": []}, {}],
        "parameters": [
            {
                "name": "job_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
                "description": "The job.",
            },
            {
                "name": "token",
                "in": "query",
                "schema": {"type": "string"},
                "description": "The token, for browsers, which can set no header here.",
            },
            {
                "name": "after",
                "in": "query",
                "schema": {"type": "integer", "format": "int64", "minimum": 0, "default": 0},
                "description": "Only events with a greater sequence.",
            },
        ],
        "responses": {
            "101": {"description": "The WebSocket is open; its messages are of the schema WatchMessage."}
        },
    }


def _readiness() -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "status": {"type": "string", "enum": ["ready", "not ready"]},
            "checks": {"type": "object", "additionalProperties": {"type": "boolean"}},
            "missing": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["status", "checks", "missing"],
    }
    content = {"application/json": {"schema": schema}}
    operation = _open("GetReadiness", "Whether everything that the gateway needs is there", content)
    operation["responses"]["503"] = {"description": "Something is missing.", "content": content}
    return operation


def _open(operation_id: str, summary: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "tags": ["gateway"],
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": "The answer.", "content": content}},
    }
