"""Errors as REST shows them: `{"error": {code, status, reason, message, details: [{field,
description}]}}`.
"""

from typing import Any

import orjson

from annotateforge.runtime.errors import Code, DomainError, FieldViolation, error_type

_BY_HTTP_STATUS = {
    400: Code.INVALID_ARGUMENT,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.NOT_FOUND,
    405: Code.UNIMPLEMENTED,
    409: Code.ABORTED,
    413: Code.RESOURCE_EXHAUSTED,
    416: Code.OUT_OF_RANGE,
    429: Code.RESOURCE_EXHAUSTED,
    499: Code.CANCELLED,
    501: Code.UNIMPLEMENTED,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.DEADLINE_EXCEEDED,
}


def problem_body(error: DomainError, http_status: int | None = None) -> bytes:
    """The JSON body of an error; `http_status` where HTTP has a better one than the code's, such as 405, 413
    and 416.
    """
    problem: dict[str, Any] = {
        "code": http_status or error.code.http_status,
        "status": error.code.name,
        "reason": error.reason,
        "message": error.message,
        "details": [{"field": v.field, "description": v.description} for v in error.violations],
    }
    if error.metadata:
        problem["metadata"] = error.metadata
    return orjson.dumps({"error": problem})


def read_problem(http_status: int, body: bytes) -> DomainError:
    """The error that an HTTP answer describes, also where something between client and server wrote it."""
    code = _BY_HTTP_STATUS.get(http_status, Code.INTERNAL)
    try:
        problem = orjson.loads(body)["error"]
        code = Code[problem["status"]]
        return error_type(code)(
            str(problem["reason"]),
            str(problem["message"]),
            violations=[
                FieldViolation(str(d["field"]), str(d["description"])) for d in problem.get("details", [])
            ],
            metadata={str(key): str(value) for key, value in problem.get("metadata", {}).items()},
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return error_type(code)(f"HTTP_{http_status}", f"The server answered {http_status}.")
