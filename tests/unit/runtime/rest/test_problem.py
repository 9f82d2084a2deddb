import orjson

from annotateforge.runtime.errors import InvalidArgument, NotFound
from annotateforge.runtime.rest.problem import problem_body


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


def test_what_programs_may_need_of_an_error_is_in_its_metadata() -> None:
    error = NotFound("JOB_NOT_FOUND", "Kein Auftrag.", metadata={"job_id": "7"})
    assert orjson.loads(problem_body(error))["error"]["metadata"] == {"job_id": "7"}


def test_http_may_have_a_better_status_than_the_code() -> None:
    assert orjson.loads(problem_body(InvalidArgument("X", "x"), 416))["error"]["code"] == 416
