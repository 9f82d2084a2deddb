from urllib.parse import quote

import grpc
import pytest
from google.rpc import status_pb2

from annotateforge.api.dataset.v1 import problem_pb2
from annotateforge.runtime.errors import (
    REPORT_BYTES,
    Aborted,
    Code,
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    error_type,
)
from annotateforge.runtime.rpc_status import DETAILS_KEY, GRPC_CODES, from_rpc_error, from_status, to_status


def test_an_error_survives_the_way_over_the_wire() -> None:
    error = InvalidArgument(
        "INVALID_SPEC",
        "Zwei Klassen heißen gleich.",
        violations=[FieldViolation("classes[1]", "is there twice"), FieldViolation("split", "is missing")],
        metadata={"dataset_id": "7"},
    )
    back = from_status(to_status(error))
    assert type(back) is InvalidArgument
    assert (back.reason, back.message, back.metadata, back.violations) == (
        error.reason,
        error.message,
        error.metadata,
        error.violations,
    )


def test_a_report_survives_the_way_over_the_wire_unless_it_is_too_large() -> None:
    report = problem_pb2.HealthReport(total_images=7, findings=[problem_pb2.Finding(reason="X", count=3)])
    back = from_status(to_status(FailedPrecondition("DATASET_INVALID", "Nothing fits.", report=report)))
    assert back.report == report
    large = problem_pb2.Finding(message="x" * REPORT_BYTES)
    assert from_status(to_status(FailedPrecondition("X", "x", report=large))).report is None


def test_a_report_and_many_violations_stay_within_the_metadata_limit_of_clients() -> None:
    report = problem_pb2.Finding(message="x" * (REPORT_BYTES - 10))
    violations = [FieldViolation(f"classes[{n}]", "has no instance" * 10) for n in range(1000)]
    error = FailedPrecondition("X", "x" * 5000, violations=violations, report=report)
    status = to_status(error)
    assert status.ByteSize() < 4500
    assert from_status(status).report == report


def test_a_detail_of_a_type_that_nobody_here_knows_is_passed_over() -> None:
    status = to_status(FailedPrecondition("X", "x"))
    status.details.add(type_url="type.googleapis.com/nobody.knows.This", value=b"1")
    assert (from_status(status).reason, from_status(status).report) == ("X", None)


def test_every_code_survives_the_way_over_the_wire() -> None:
    for code in Code:
        kind = error_type(code)
        assert type(from_status(to_status(kind("X", "x")))) is kind
    assert set(GRPC_CODES) == set(Code)


def test_many_violations_stay_within_the_metadata_limit_of_clients_and_are_counted() -> None:
    violations = [FieldViolation(f"annotations[{n}].box", "must lie within the image") for n in range(10_000)]
    status = to_status(InvalidArgument.of_fields("INVALID_BOX", violations))
    assert status.ByteSize() < 4500
    back = from_status(status)
    assert back.violations[0] == violations[0]
    listed = len(back.violations) - 1
    assert back.violations[-1].description == f"{10_000 - listed} more are not listed."


def test_a_long_message_in_any_script_is_shortened_to_what_a_header_holds() -> None:
    for letter in "aä漢🙂":
        message = to_status(Aborted("X", letter * 5000)).message
        assert message.endswith("…")
        assert len(quote(message)) < 2000


def test_a_short_message_is_left_alone() -> None:
    assert to_status(Aborted("X", "Ä" * 200)).message == "Ä" * 200


@pytest.mark.parametrize(
    "details", [b"\xff\xff no status", status_pb2.Status(code=99, message="x").SerializeToString()]
)
def test_details_that_are_no_status_leave_the_plain_status(details: bytes) -> None:
    trailing = grpc.aio.Metadata((DETAILS_KEY, details))
    failed = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), trailing, "There is none.")
    error = from_rpc_error(failed)
    assert (error.code, error.reason, error.message) == (Code.NOT_FOUND, "NOT_FOUND", "There is none.")
