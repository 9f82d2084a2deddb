"""What somebody wants to be trained, checked: the input of a new job."""

from dataclasses import dataclass
from uuid import UUID

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset, TaskType
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.trainer_service_pb2 import (
    CreateJobRequest,
    RestartJobRequest,
    UpdateJobRequest,
)
from annotateforge.trainer.config import check_priority, filled_config
from annotateforge.trainer.config_changes import changed, changes_data
from annotateforge.trainer.messages import task_type
from annotateforge.trainer.records import JobRecord
from annotateforge.trainer.request_keys import RequestKey
from annotateforge.trainer.violations import Violations

LONGEST_NAME = 200
LONGEST_DESCRIPTION = 10_000


@dataclass(frozen=True, slots=True)
class Order:
    """A job to be made."""

    name: str
    description: str
    task_type: TaskType.ValueType
    config: JobConfig
    """With its defaults filled in, but for what follows from the data set and the base model."""
    request: RequestKey | None = None
    """By which the request is known when it comes again; None for one that may be carried out twice."""
    restarted_from: UUID | None = None
    dataset: Dataset | None = None
    """The data set of the job that is repeated."""


def read_order(request: CreateJobRequest) -> Order:
    """Check a CreateJobRequest and fill in defaults. InvalidArgument INVALID_JOB with all that is wrong."""
    violations = Violations()
    if request.task_type not in TaskType.values() or not request.task_type:
        violations.add("task_type", "is required: classify, detect or segment")
    order = Order(
        name=_name(request.name, violations),
        description=_description(request.description, violations),
        task_type=request.task_type,
        config=filled_config(request.config, request.task_type, violations),
        request=RequestKey.of(request, violations),
    )
    violations.raise_any("INVALID_JOB")
    return order


def repeated(record: JobRecord, request: RestartJobRequest) -> Order:
    """The order that repeats a job, changed where it is asked, with its data set unless that is changed.

    InvalidArgument INVALID_JOB.
    """
    violations = Violations()
    name = request.name
    before = JobConfig.FromString(record.config)
    before.priority = record.priority
    task = task_type(record.task_type)
    config = before
    if request.HasField("config") or request.update_mask:
        config = changed(before, request.config, request.update_mask, task, violations)
    order = Order(
        name=_name(name, violations) if name else record.name,
        description=record.description,
        task_type=task,
        config=filled_config(config, task, violations),
        request=RequestKey.of(request, violations),
        restarted_from=record.id,
        dataset=None if changes_data(before, config) else Dataset.FromString(record.dataset),
    )
    violations.raise_any("INVALID_JOB")
    return order


@dataclass(frozen=True, slots=True)
class Update:
    """What is to change of a job; None for what stays."""

    name: str | None
    description: str | None
    priority: int | None


def read_update(request: UpdateJobRequest) -> Update:
    """Check an UpdateJobRequest. InvalidArgument INVALID_JOB with all that is wrong."""
    violations = Violations()
    update = Update(
        name=_name(request.name, violations) if request.HasField("name") else None,
        description=_description(request.description, violations)
        if request.HasField("description")
        else None,
        priority=request.priority if request.HasField("priority") else None,
    )
    check_priority(request.priority, violations, "priority")
    violations.raise_any("INVALID_JOB")
    return update


def _name(text: str, violations: Violations) -> str:
    """A name without the blanks around it."""
    return violations.text("name", text.strip(), longest=LONGEST_NAME, required=True)


def _description(text: str, violations: Violations) -> str:
    return violations.text("description", text, longest=LONGEST_DESCRIPTION, lines=True)
