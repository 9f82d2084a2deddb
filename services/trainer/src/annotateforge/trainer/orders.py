"""What somebody wants to be trained, checked: the input of a new job."""

from dataclasses import dataclass
from uuid import UUID

from annotateforge.api.dataset.v1.dataset_pb2 import Dataset, TaskType
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.trainer_service_pb2 import CreateJobRequest, UpdateJobRequest
from annotateforge.trainer.config import check_priority, filled_config
from annotateforge.trainer.messages import task_type
from annotateforge.trainer.records import JobRecord
from annotateforge.trainer.violations import Violations

LONGEST_NAME = 200
LONGEST_DESCRIPTION = 10_000
LONGEST_REQUEST_ID = 100


@dataclass(frozen=True, slots=True)
class Order:
    """A job to be made."""

    name: str
    description: str
    task_type: TaskType.ValueType
    config: JobConfig
    """With its defaults filled in, but for what follows from the data set and the base model."""
    request_id: str | None = None
    restarted_from: UUID | None = None
    dataset: Dataset | None = None
    """The data set of the job that is repeated."""


def read_order(request: CreateJobRequest) -> Order:
    """Check a CreateJobRequest and fill in defaults. InvalidArgument INVALID_JOB with all that is wrong."""
    violations = Violations()
    if request.task_type not in TaskType.values() or not request.task_type:
        violations.add("task_type", "is required: classify, detect or segment")
    order = Order(
        name=violations.text("name", request.name, longest=LONGEST_NAME, required=True),
        description=violations.text("description", request.description, longest=LONGEST_DESCRIPTION),
        task_type=request.task_type,
        config=filled_config(request.config, request.task_type, violations),
        request_id=violations.text("request_id", request.request_id, longest=LONGEST_REQUEST_ID) or None,
    )
    violations.raise_any("INVALID_JOB")
    return order


def repeated(record: JobRecord, name: str) -> Order:
    """The order that repeats a job, with its data set, under a name or else its own. InvalidArgument
    INVALID_JOB.
    """
    violations = Violations()
    if name:
        violations.text("name", name, longest=LONGEST_NAME, required=True)
    config = JobConfig.FromString(record.config)
    config.priority = record.priority
    task = task_type(record.task_type)
    order = Order(
        name=name or record.name,
        description=record.description,
        task_type=task,
        config=filled_config(config, task, violations),
        restarted_from=record.id,
        dataset=Dataset.FromString(record.dataset),
    )
    violations.raise_any("INVALID_JOB")
    return order


def check_update(request: UpdateJobRequest) -> None:
    """InvalidArgument INVALID_JOB with all that is wrong with an UpdateJobRequest."""
    violations = Violations()
    if request.HasField("name"):
        violations.text("name", request.name, longest=LONGEST_NAME, required=True)
    violations.text("description", request.description, longest=LONGEST_DESCRIPTION)
    check_priority(request.priority, violations, "priority")
    violations.raise_any("INVALID_JOB")
