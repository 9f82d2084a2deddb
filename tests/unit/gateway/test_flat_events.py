"""Events as the WebSocket sends them."""

import orjson

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.trainer.v1 import event_pb2, job_pb2
from annotateforge.gateway.flat_events import flat_event
from annotateforge.runtime.rest.names import message_of


def flat(event: event_pb2.JobEvent) -> dict[str, object]:
    found = orjson.loads(flat_event(event))
    assert isinstance(found, dict)
    return found


def test_a_stored_event_is_flat_with_its_sequence() -> None:
    change = event_pb2.StatusChange(
        status=job_pb2.JOB_STATUS_TRAINING, previous_status=job_pb2.JOB_STATUS_PREPARING
    )
    assert flat(event_pb2.JobEvent(sequence=7, job_id="j", attempt=2, status_change=change)) == {
        "type": "status_change",
        "sequence": 7,
        "job_id": "j",
        "attempt": 2,
        "status": "training",
        "previous_status": "preparing",
    }


def test_a_live_event_has_no_sequence() -> None:
    found = flat(event_pb2.JobEvent(job_id="j", progress=event_pb2.Progress(stage="training", done=3)))
    assert found["type"] == "progress"
    assert "sequence" not in found


def test_the_envelope_stands_where_an_epoch_has_fields_of_the_same_name() -> None:
    epoch = job_pb2.Epoch(epoch=3, attempt=99)
    epoch.time.FromJsonString("2020-01-01T00:00:00Z")
    event = event_pb2.JobEvent(sequence=1, attempt=2, epoch_complete=epoch)
    event.time.FromJsonString("2026-01-01T00:00:00Z")
    found = flat(event)
    assert (found["attempt"], found["time"], found["epoch"]) == (2, "2026-01-01T00:00:00Z", 3)


def test_only_known_names_of_payloads_and_envelope_meet() -> None:
    envelope = {field.name for field in event_pb2.JobEvent.DESCRIPTOR.fields if not field.containing_oneof}
    for payload in event_pb2.JobEvent.DESCRIPTOR.oneofs[0].fields:
        names = {field.name for field in message_of(payload).fields}
        assert "type" not in names
        assert names & envelope <= ({"attempt", "time"} if payload.name == "epoch_complete" else set())


def test_tasks_and_classes_are_written_by_the_common_rules() -> None:
    ready = event_pb2.DatasetReady(task_type=dataset_pb2.TASK_TYPE_SEGMENT, classes=["a"], train_images=2**53)
    found = flat(event_pb2.JobEvent(sequence=2, dataset_ready=ready))
    assert (found["task_type"], found["classes"], found["train_images"]) == ("segment", ["a"], 2**53)
