"""What must hold of every training that was disturbed."""

import os

from annotateforge.api.registry.v1 import registry_service_pb2 as registry_api
from annotateforge.api.trainer.v1.event_pb2 import JobEvent
from annotateforge.api.trainer.v1.job_pb2 import Job, JobStatus
from tests.integration.trainer_worker.stack import Stack
from tests.integration.trainer_worker.test_resuming import epochs_of, weights
from tests.integration.trainer_worker.test_stopping import children_of


async def check_survived(stack: Stack, job: Job, undisturbed: Job | None = None) -> list[JobEvent]:
    """The job, which has ended, is completed, with each epoch once and one model; nothing of an attempt comes
    after the next one has begun, and no process is left. Where it can be so, the model is that of an
    undisturbed job. Answers the events.
    """
    ended = await stack.get(job)
    assert ended.status == JobStatus.JOB_STATUS_COMPLETED, ended.failure
    events = await stack.events(job)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert epochs_of(events) == list(range(1, ended.total_epochs + 1))
    attempts = [event.attempt for event in events if event.attempt]
    assert attempts == sorted(attempts)
    assert [event.HasField("training_complete") for event in events].count(True) == 1
    models = (await stack.registry.ListModels(registry_api.ListModelsRequest())).models
    assert [model.job_id for model in models].count(job.id) == 1
    assert children_of(os.getpid()) == []
    if undisturbed is not None:
        other = await stack.get(undisturbed)
        assert other.status == JobStatus.JOB_STATUS_COMPLETED, other.failure
        assert await weights(stack, ended) == await weights(stack, other)
    return events
