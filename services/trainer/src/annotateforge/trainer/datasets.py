"""The dataset service as the trainer needs it: freezing what a job is trained on, in the name of whoever
asks.
"""

from collections.abc import Iterable
from uuid import UUID

import grpc

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset, DatasetSpec, TaskType
from annotateforge.api.dataset.v1.dataset_service_pb2 import (
    GetDatasetRequest,
    HoldDatasetRequest,
    PrepareDatasetRequest,
)
from annotateforge.api.dataset.v1.dataset_service_pb2_grpc import DatasetServiceStub
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.runtime.errors import DomainError, FieldViolation, Internal, InvalidArgument
from annotateforge.runtime.rpc_status import from_rpc_error
from annotateforge.trainer.messages import task_word
from annotateforge.trainer.records import holder_of

_FIRST_HOLD = 900
"""Seconds for which a job that is being made holds its data set; `dataset_holds` takes over."""
_OF_CONFIG = (
    *("project_ids", "classes", "annotation_types", "split", "backgrounds", "image_size"),
    "dataset_id",
)


class Datasets:
    """Frozen data sets, seen through the dataset service."""

    def __init__(self, channel: grpc.aio.Channel, timeout: float) -> None:
        """timeout: seconds that freezing may take."""
        self._stub = DatasetServiceStub(channel)
        self._timeout = timeout

    async def frozen(self, config: JobConfig, task: TaskType.ValueType) -> Dataset:
        """The data set that a config names, frozen now unless it is already.

        Raises what the dataset service answers, with the fields named as in the job; InvalidArgument
        TASK_TYPE_MISMATCH when a data set that is frozen already is for another task.
        """
        if config.dataset_id:
            return await self.get(config.dataset_id, task)
        try:
            return await self._freeze(config, task)
        except grpc.aio.AioRpcError as error:
            raise _as_of_job(from_rpc_error(error)) from error

    async def get(self, dataset_id: str, task: TaskType.ValueType) -> Dataset:
        """A frozen data set. NotFound DATASET_NOT_FOUND, InvalidArgument TASK_TYPE_MISMATCH."""
        try:
            request = GetDatasetRequest(dataset_id=dataset_id)
            dataset = (await self._stub.GetDataset(request)).dataset
        except grpc.aio.AioRpcError as error:
            raise _as_of_job(from_rpc_error(error)) from error
        if dataset.task_type != task:
            raise InvalidArgument.of_field(
                "TASK_TYPE_MISMATCH",
                "config.dataset_id",
                f"is a data set for {task_word(dataset.task_type)}, and the job's task is {task_word(task)}",
            )
        return dataset

    async def hold(self, dataset_id: str, job_id: UUID) -> None:
        """Keep a data set from being deleted until its job is written. NotFound DATASET_NOT_FOUND."""
        try:
            await self._stub.HoldDataset(
                HoldDatasetRequest(dataset_id=dataset_id, holder=holder_of(job_id), seconds=_FIRST_HOLD)
            )
        except grpc.aio.AioRpcError as error:
            raise _as_of_job(from_rpc_error(error)) from error

    async def _freeze(self, config: JobConfig, task: TaskType.ValueType) -> Dataset:
        request = PrepareDatasetRequest(spec=spec_of(config, task))
        async for answer in self._stub.PrepareDataset(request, timeout=self._timeout):
            if answer.HasField("dataset"):
                return answer.dataset
        raise Internal("DATASET_MISSING", "The dataset service answered no data set.")


def spec_of(config: JobConfig, task: TaskType.ValueType) -> DatasetSpec:
    """What the data set of a config is made of, where the config names none that is frozen already."""
    return DatasetSpec(
        project_ids=config.project_ids,
        task_type=task,
        classes=config.classes,
        annotation_types=config.annotation_types,
        split=config.split if config.HasField("split") else None,
        backgrounds=config.backgrounds,
        image_size=config.image_size,
    )


def _as_of_job(error: DomainError) -> DomainError:
    """The same error with its fields named as the caller of CreateJob wrote them."""
    message, violations = error.message, list(_renamed(error.violations))
    for before, after in zip(error.violations, violations, strict=True):
        message = message.replace(f"{before.field}: ", f"{after.field}: ") if before.field else message
    return type(error)(
        error.reason, message, violations=violations, metadata=error.metadata, report=error.report
    )


def _renamed(violations: Iterable[FieldViolation]) -> Iterable[FieldViolation]:
    for violation in violations:
        field = violation.field.removeprefix("spec.")
        of_config = field.partition(".")[0].partition("[")[0] in _OF_CONFIG
        yield FieldViolation(f"config.{field}" if of_config else field, violation.description)
