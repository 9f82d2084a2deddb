from typing import Any

import pytest

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.trainer_service_pb2 import CreateJobRequest, UpdateJobRequest
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.ids import new_id
from annotateforge.trainer.orders import Update, read_order, read_update


def order(**fields: Any) -> CreateJobRequest:
    values: dict[str, Any] = {"name": "Cells", "task_type": TaskType.TASK_TYPE_DETECT} | fields
    return CreateJobRequest(config=JobConfig(project_ids=[str(new_id())]), **values)


def test_blanks_around_a_name_are_dropped() -> None:
    assert read_order(order(name=" Cells ")).name == "Cells"
    assert read_update(UpdateJobRequest(name=" Cells ")) == Update("Cells", None, None)


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "a\0b", "two\nlines", "a\x1b[31m"])
def test_a_name_that_is_no_line_of_text_is_refused(name: str) -> None:
    for read in (lambda: read_order(order(name=name)), lambda: read_update(UpdateJobRequest(name=name))):
        with pytest.raises(InvalidArgument) as caught:
            read()
        assert caught.value.reason == "INVALID_JOB"
        assert [violation.field for violation in caught.value.violations] == ["name"]


def test_a_description_may_have_several_lines() -> None:
    assert read_order(order(description="first\n\tsecond")).description == "first\n\tsecond"


def test_an_update_leaves_what_it_does_not_name() -> None:
    assert read_update(UpdateJobRequest()) == Update(None, None, None)
    assert read_update(UpdateJobRequest(description="", priority=0)) == Update(None, "", 0)
