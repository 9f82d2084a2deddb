"""Events of a job as flat JSON, the messages of the WebSocket."""

import orjson

from annotateforge.api.trainer.v1 import event_pb2
from annotateforge.runtime.rest.codec import to_object

LIVE_ONLY = frozenset({"progress", "log"})
"""Payloads of events that are not stored and have no sequence."""


def flat_event(event: event_pb2.JobEvent) -> str:
    """The event as `{"type": <payload's name>, "sequence", "job_id", "attempt", "time", …payload's fields}`.

    Live-only events have no `sequence`. Where a payload has a field of the envelope's name (an epoch knows
    its attempt and time too), the envelope's stands.
    """
    payload = event.WhichOneof("payload") or "unknown"
    flat = {"type": payload, **to_object(event)}
    fields = flat.pop(payload, {})
    if event.sequence == 0:
        del flat["sequence"]
    return orjson.dumps({**flat, **{name: fields[name] for name in fields if name not in flat}}).decode()
