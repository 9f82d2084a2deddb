"""What an exception means to whoever asked for the work that it ended."""

import grpc

from annotateforge.runtime.database import database_error
from annotateforge.runtime.errors import DomainError
from annotateforge.runtime.rpc_status import from_rpc_error


def domain_error(error: BaseException) -> DomainError | None:
    """The domain error behind an exception; None when it is a fault of the program."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, grpc.aio.AioRpcError):
        # A call to another service failed; what it said is what the caller is told.
        return from_rpc_error(error)
    if isinstance(error, BaseExceptionGroup):
        # A task group wraps what its tasks raise; where all agree on one cause, that is the cause.
        causes = [domain_error(inner) for inner in error.exceptions]
        return causes[0] if all(cause is not None for cause in causes) else None
    return database_error(error)


def first_cause(error: BaseException) -> BaseException:
    """What was raised first within the groups that task groups make of it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
