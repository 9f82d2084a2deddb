"""By what a request that makes something is known when it is sent again."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Self
from uuid import UUID

from annotateforge.api.trainer.v1.trainer_service_pb2 import (
    CreateJobRequest,
    CreateSweepRequest,
    RestartJobRequest,
)
from annotateforge.runtime.errors import AlreadyExists
from annotateforge.trainer.violations import Violations, shown

LONGEST_REQUEST_ID = 100


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The id that the client chose for a request, and the request's digest."""

    id: str
    digest: bytes
    """SHA-256 of the kind of the request and of all that it says."""

    @classmethod
    def of(
        cls, request: CreateJobRequest | RestartJobRequest | CreateSweepRequest, violations: Violations
    ) -> Self | None:
        """The key of a request; None for one without an id, which may be carried out twice, and for an id
        that cannot be.
        """
        found = len(violations)
        request_id = violations.text("request_id", request.request_id, longest=LONGEST_REQUEST_ID)
        if not request_id or len(violations) > found:
            return None
        said = request.SerializeToString(deterministic=True)
        return cls(request_id, sha256(b"\0".join((request.DESCRIPTOR.full_name.encode(), said))).digest())


@dataclass(frozen=True, slots=True)
class Made:
    """What a request with some id has made."""

    id: UUID
    digest: bytes | None
    """Of that request; None where it was not kept, in rows of former versions."""

    def by(self, key: RequestKey, kind: str) -> UUID:
        """Its id, if it was made by the very request of this key. `kind` says what it is, such as "job".

        AlreadyExists REQUEST_ID_REUSED when it was another one: whoever sends that would take the result of
        the first one for its own.
        """
        if self.digest not in (None, key.digest):
            raise AlreadyExists(
                "REQUEST_ID_REUSED",
                f"request_id: {shown(key.id)} has made {kind} {self.id} by another request. "
                "Send that one unchanged to get its result, or choose a new request_id for this one.",
                metadata={"request_id": key.id, f"{kind}_id": str(self.id)},
            )
        return self.id
