"""Calls of the trainer service: jobs, what happens to them, and who works."""

from collections.abc import AsyncIterator, Callable, Iterable

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.trainer.v1 import (
    architecture_pb2,
    event_pb2,
    job_pb2,
    sweep_pb2,
    trainer_service_pb2,
    worker_pb2,
)
from annotateforge.client.aio.calls.pages import listed
from annotateforge.client.aio.transport import Transport
from annotateforge.client.aio.watching import watch
from annotateforge.client.enums import enum_value
from annotateforge.client.references import Search, is_id

SERVICE = trainer_service_pb2.DESCRIPTOR.services_by_name["TrainerService"]

_MOST = 1000


class TrainerCalls:
    """Jobs, their epochs and events, and workers."""

    _transport: Transport

    async def create_job(self, request: trainer_service_pb2.CreateJobRequest) -> job_pb2.Job:
        """Start a training."""
        return await self._transport.call(SERVICE, "CreateJob", request, job_pb2.Job)

    async def job(self, job_id: str) -> job_pb2.Job:
        """One job."""
        request = trainer_service_pb2.GetJobRequest(job_id=job_id)
        return await self._transport.call(SERVICE, "GetJob", request, job_pb2.Job)

    def jobs(self, status: str = "", task_type: str = "") -> AsyncIterator[job_pb2.Job]:
        """Jobs, the newest first; of one status, such as "training", and one task, such as "detect"."""
        request = trainer_service_pb2.ListJobsRequest(
            status=enum_value(job_pb2.JobStatus, status, "status"),
            task_type=enum_value(dataset_pb2.TaskType, task_type, "task"),
        )
        answer = trainer_service_pb2.ListJobsResponse
        return listed(self._transport, SERVICE, "ListJobs", request, answer, lambda page: page.jobs)

    async def find_job(self, reference: str) -> job_pb2.Job:
        """The job of this id, the only one of this name, or the one whose id alone begins or ends so.

        ServerRefused JOB_NOT_FOUND when there is none, WrongArgument when there are several.
        """
        if is_id(reference):
            return await self.job(reference)
        search = Search("job", reference)
        async for found in self.jobs():
            search.add(found.id, found.name)
        return await self.job(search.found())

    async def update_job(
        self,
        job_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        priority: int | None = None,
    ) -> job_pb2.Job:
        """Change a job's name or description, or the priority of one that waits."""
        request = trainer_service_pb2.UpdateJobRequest(
            job_id=job_id, name=name, description=description, priority=priority
        )
        return await self._transport.call(SERVICE, "UpdateJob", request, job_pb2.Job)

    async def cancel_job(self, job_id: str) -> job_pb2.Job:
        """Cancel a job: a waiting one at once, a running one within seconds."""
        request = trainer_service_pb2.CancelJobRequest(job_id=job_id)
        return await self._transport.call(SERVICE, "CancelJob", request, job_pb2.Job)

    async def restart_job(
        self, job_id: str, name: str = "", changes: job_pb2.JobConfig | None = None
    ) -> job_pb2.Job:
        """Make a new job with the config of another, but for the fields that `changes` gives."""
        request = trainer_service_pb2.RestartJobRequest(job_id=job_id, name=name, config=changes)
        return await self._transport.call(SERVICE, "RestartJob", request, job_pb2.Job)

    async def create_sweep(self, request: trainer_service_pb2.CreateSweepRequest) -> sweep_pb2.Sweep:
        """Start trainings that differ in some settings."""
        return await self._transport.call(SERVICE, "CreateSweep", request, sweep_pb2.Sweep)

    async def sweep(self, sweep_id: str) -> sweep_pb2.Sweep:
        """One sweep with the ids of its jobs."""
        request = trainer_service_pb2.GetSweepRequest(sweep_id=sweep_id)
        return await self._transport.call(SERVICE, "GetSweep", request, sweep_pb2.Sweep)

    def sweeps(self) -> AsyncIterator[sweep_pb2.Sweep]:
        """Sweeps, the newest first."""
        request = trainer_service_pb2.ListSweepsRequest()
        answer = trainer_service_pb2.ListSweepsResponse
        return listed(self._transport, SERVICE, "ListSweeps", request, answer, lambda page: page.sweeps)

    async def find_sweep(self, reference: str) -> sweep_pb2.Sweep:
        """The sweep of this id, the only one of this name, or the one whose id alone begins or ends so.

        ServerRefused SWEEP_NOT_FOUND when there is none, WrongArgument when there are several.
        """
        if is_id(reference):
            return await self.sweep(reference)
        search = Search("sweep", reference)
        async for found in self.sweeps():
            search.add(found.id, found.name)
        return await self.sweep(search.found())

    async def compare_jobs(
        self, job_ids: Iterable[str] = (), sweep_id: str = ""
    ) -> trainer_service_pb2.CompareJobsResponse:
        """Jobs, or those of a sweep, side by side: the settings that differ and the best of each."""
        request = trainer_service_pb2.CompareJobsRequest(job_ids=job_ids, sweep_id=sweep_id)
        answer = trainer_service_pb2.CompareJobsResponse
        return await self._transport.call(SERVICE, "CompareJobs", request, answer)

    async def delete_job(self, job_id: str) -> None:
        """Delete a job that has ended; cancel one that has not."""
        request = trainer_service_pb2.DeleteJobRequest(job_id=job_id)
        await self._transport.call(SERVICE, "DeleteJob", request, trainer_service_pb2.DeleteJobResponse)

    def epochs(self, job_id: str) -> AsyncIterator[job_pb2.Epoch]:
        """The complete epochs of a job."""
        request = trainer_service_pb2.ListEpochsRequest(job_id=job_id, page_size=_MOST)
        answer = trainer_service_pb2.ListEpochsResponse
        return listed(self._transport, SERVICE, "ListEpochs", request, answer, lambda page: page.epochs)

    async def evaluation(self, job_id: str) -> event_pb2.TrainingComplete:
        """What the final evaluation of a job's model found, class by class."""
        request = trainer_service_pb2.GetEvaluationRequest(job_id=job_id)
        return await self._transport.call(SERVICE, "GetEvaluation", request, event_pb2.TrainingComplete)

    def events(self, job_id: str, after: int = 0) -> AsyncIterator[event_pb2.JobEvent]:
        """The stored events of a job after a sequence."""
        request = trainer_service_pb2.ListEventsRequest(job_id=job_id, after=after, page_size=_MOST)
        answer = trainer_service_pb2.ListEventsResponse
        return listed(self._transport, SERVICE, "ListEvents", request, answer, lambda page: page.events)

    def logs(self, job_id: str, after: int = 0, attempt: int = 0) -> AsyncIterator[event_pb2.LogLine]:
        """What a job's training has printed, after the line of a number; of one attempt or, for 0, of all."""
        request = trainer_service_pb2.ListLogsRequest(
            job_id=job_id, after=after, attempt=attempt, page_size=_MOST
        )
        answer = trainer_service_pb2.ListLogsResponse
        return listed(self._transport, SERVICE, "ListLogs", request, answer, lambda page: page.lines)

    async def follow_logs(
        self,
        job_id: str,
        after: int = 0,
        attempt: int = 0,
        lost: Callable[[str], None] | None = None,
    ) -> AsyncIterator[event_pb2.LogLine]:
        """As `logs`, and then live until the job has ended; each line once. lost: see `watching.watch`."""
        # What happens after this is told by the watch, so no line is printed that nobody tells of.
        sequence = (await self.job(job_id)).last_sequence
        async for line in self.logs(job_id, after, attempt):
            after = line.number
            yield line
        async for event in self.watch(job_id, sequence, lost):
            told = event.log.lines
            if not told and not event.HasField("status_change"):
                continue
            # Live lines may be lost on their way; whatever is missing is stored.
            if not told or told[0].number > after + 1:
                async for line in self.logs(job_id, after, attempt):
                    after = line.number
                    yield line
            for line in told:
                if line.number > after and attempt in (0, line.attempt):
                    after = line.number
                    yield line
        async for line in self.logs(job_id, after, attempt):
            yield line

    def watch(
        self, job_id: str, after: int = 0, lost: Callable[[str], None] | None = None
    ) -> AsyncIterator[event_pb2.JobEvent]:
        """The events of a job after a sequence, then live until it has ended; see `watching.watch`."""
        return watch(self._transport.url, self._transport.headers, job_id, after, lost)

    async def architectures(self, task_type: str = "") -> list[architecture_pb2.Architecture]:
        """What can be trained, for one task, such as "detect", or for all."""
        request = trainer_service_pb2.ListArchitecturesRequest(
            task_type=enum_value(dataset_pb2.TaskType, task_type, "task")
        )
        answer = trainer_service_pb2.ListArchitecturesResponse
        return list((await self._transport.call(SERVICE, "ListArchitectures", request, answer)).architectures)

    def workers(self) -> AsyncIterator[worker_pb2.Worker]:
        """The workers that were heard of lately, by name."""
        request = trainer_service_pb2.ListWorkersRequest()
        answer = trainer_service_pb2.ListWorkersResponse
        return listed(self._transport, SERVICE, "ListWorkers", request, answer, lambda page: page.workers)
