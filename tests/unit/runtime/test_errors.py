import pytest

from annotateforge.runtime.errors import (
    Code,
    DomainError,
    FieldViolation,
    InvalidArgument,
    NotFound,
    error_type,
)


def test_an_error_keeps_reason_message_metadata_and_violations() -> None:
    error = NotFound("JOB_NOT_FOUND", "There is no job 7.", metadata={"job_id": "7"})
    assert (error.code, error.reason, error.message) == (
        Code.NOT_FOUND,
        "JOB_NOT_FOUND",
        "There is no job 7.",
    )
    assert error.metadata == {"job_id": "7"}
    assert error.violations == ()
    assert str(error) == "JOB_NOT_FOUND: There is no job 7."


def test_a_wrong_field_is_named_in_message_and_violation() -> None:
    error = InvalidArgument.of_field("INVALID_EPOCHS", "config.epochs", "must be at least 1")
    assert error.message == "config.epochs: must be at least 1"
    assert error.violations == (FieldViolation("config.epochs", "must be at least 1"),)


def test_of_several_wrong_fields_the_message_names_three() -> None:
    error = InvalidArgument.of_fields("INVALID", [FieldViolation(f"f{n}", "is wrong") for n in range(5)])
    assert error.message == "f0: is wrong; f1: is wrong; f2: is wrong; and 2 more"
    assert len(error.violations) == 5


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_an_error_type_and_an_http_status(code: Code) -> None:
    kind = error_type(code)
    assert issubclass(kind, DomainError)
    assert kind.code in (code, Code.INTERNAL)
    assert 400 <= code.http_status < 600
