"""Errors as REST shows them: `{"error": {code, status, reason, message, details: [{field,
description}]}}`, with `metadata` and `report` where there are any.
"""

from typing import Any

import orjson

from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rest.codec import to_object


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
    if error.report is not None:
        problem["report"] = to_object(error.report)
    return orjson.dumps({"error": problem})
