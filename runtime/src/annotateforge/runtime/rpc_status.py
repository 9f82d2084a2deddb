"""Domain errors on the wire: google.rpc.Status with ErrorInfo and BadRequest in the trailing metadata."""

import contextlib
from urllib.parse import quote

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from annotateforge.runtime.errors import (
    DOMAIN,
    REPORT_BYTES,
    Code,
    DomainError,
    FieldViolation,
    error_type,
)

DETAILS_KEY = "grpc-status-details-bin"
"""Trailing metadata key that gRPC clients of every language read rich status from."""

# Many gRPC clients refuse more than 8 KiB of metadata in all, base64 included, and then report
# RESOURCE_EXHAUSTED in place of the error. These two bounds stay below it together.
_MESSAGE_BYTES = 1500
_STATUS_BYTES = 4000

GRPC_CODES = {Code(code.value[0]): code for code in grpc.StatusCode if code is not grpc.StatusCode.OK}


def to_status(error: DomainError) -> status_pb2.Status:
    """The error as google.rpc.Status. Violations that would burst the client's metadata limit are counted in
    the last one; a report that would is left out.
    """
    status = status_pb2.Status(code=error.code.value, message=_shorten(error.message))
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    status.details.add().Pack(info)
    if error.report is not None and error.report.ByteSize() <= REPORT_BYTES:
        status.details.add().Pack(error.report)
    if error.violations:
        room = _STATUS_BYTES - status.ByteSize()
        bad_request = error_details_pb2.BadRequest()
        for number, violation in enumerate(error.violations):
            entry = error_details_pb2.BadRequest.FieldViolation(
                field=violation.field[:300], description=violation.description[:1000]
            )
            room -= entry.ByteSize() + 4
            if room < 0:
                left = len(error.violations) - number
                bad_request.field_violations.add(field="", description=f"{left} more are not listed.")
                break
            bad_request.field_violations.append(entry)
        status.details.add().Pack(bad_request)
    return status


def from_status(status: status_pb2.Status) -> DomainError:
    """The error that a google.rpc.Status describes."""
    reason, metadata, violations = "", {}, []
    report: Message | None = None
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad_request = error_details_pb2.BadRequest()
            detail.Unpack(bad_request)
            violations = [FieldViolation(v.field, v.description) for v in bad_request.field_violations]
        else:
            report = _unpacked(detail)
    code = Code(status.code)
    return error_type(code)(
        reason or code.name, status.message, violations=violations, metadata=metadata, report=report
    )


def _unpacked(detail: Any) -> Message | None:
    """The message in there; None when its type is not known in this process."""
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(detail.TypeName())
    except KeyError:
        return None
    message = message_factory.GetMessageClass(descriptor)()
    detail.Unpack(message)
    return message


def from_rpc_error(error: grpc.RpcError) -> DomainError:
    """The domain error that a failed call to another service carries.

    A status that gRPC itself made (no connection, deadline, cancelled, unknown method) gets the code's name
    as its reason.
    """
    call = error if isinstance(error, grpc.aio.AioRpcError | grpc.Call) else None
    if call is None:
        return error_type(Code.UNKNOWN)(Code.UNKNOWN.name, str(error))
    for key, value in call.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            # Whatever stands between may have written something else there; then the plain status counts.
            with contextlib.suppress(DecodeError, ValueError):
                return from_status(status_pb2.Status.FromString(value))
    code = Code(call.code().value[0])
    return error_type(code)(code.name, _neutral(code, call.details() or ""))


def _neutral(code: Code, details: str) -> str:
    """GRPC's own text for a broken connection names addresses and errno; what helps the caller is shorter."""
    if code is Code.UNAVAILABLE:
        return "A service that is needed for this does not answer. Try again in a moment."
    if code is Code.DEADLINE_EXCEEDED:
        return "A service that is needed for this did not answer in time. Try again in a moment."
    return details


def _shorten(message: str) -> str:
    """Cut a message so that it fits the header grpc-message, in which other than ASCII is percent-encoded."""
    if (
        len(message) * 9 <= _MESSAGE_BYTES
        or len(quote(message, safe=" !\"#$&'()*+,/:;<=>?@[]^`{|}~")) <= _MESSAGE_BYTES
    ):
        return message
    kept = message[:_MESSAGE_BYTES]
    while len(quote(kept, safe=" ")) > _MESSAGE_BYTES:
        kept = kept[: len(kept) * 9 // 10]
    return kept + "…"
