import orjson
import pytest

from annotateforge.runtime.errors import Code, FieldViolation, InvalidArgument, NotFound, Unavailable
from annotateforge.runtime.rest.problem import problem_body, read_problem


def test_an_error_has_the_documented_form() -> None:
    error = InvalidArgument.of_field("INVALID_EPOCHS", "config.epochs", "must be at least 1")
    assert orjson.loads(problem_body(error)) == {
        "error": {
            "code": 400,
            "status": "INVALID_ARGUMENT",
            "reason": "INVALID_EPOCHS",
            "message": "config.epochs: must be at least 1",
            "details": [{"field": "config.epochs", "description": "must be at least 1"}],
        }
    }


def test_an_error_survives_the_way_through_rest() -> None:
    error = NotFound(
        "JOB_NOT_FOUND", "Kein Auftrag.", metadata={"job_id": "7"}, violations=[FieldViolation("a", "b")]
    )
    back = read_problem(404, problem_body(error))
    assert type(back) is NotFound
    assert (back.reason, back.message, back.metadata, back.violations) == (
        error.reason,
        error.message,
        error.metadata,
        error.violations,
    )


def test_http_may_have_a_better_status_than_the_code() -> None:
    assert orjson.loads(problem_body(InvalidArgument("X", "x"), 416))["error"]["code"] == 416


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad Gateway</html>", b"[]", b'{"error": "x"}', b'{"error": {"status": 5}}']
)
def test_an_answer_of_something_in_between_becomes_an_error_too(body: bytes) -> None:
    error = read_problem(502, body)
    assert isinstance(error, Unavailable)
    assert error.reason == "HTTP_502"
    assert read_problem(418, body).code is Code.INTERNAL
