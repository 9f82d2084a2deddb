"""A sweep that is written down in a file: the body of POST /api/v1/training/sweeps, as JSON or YAML."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

from annotateforge.api.dataset.v1 import dataset_pb2
from annotateforge.api.trainer.v1.trainer_service_pb2 import CreateSweepRequest
from annotateforge.client.client import Client
from annotateforge.client.command.spec_options import all_classes
from annotateforge.client.errors import ClientError, WrongArgument
from annotateforge.runtime.errors import InvalidArgument
from annotateforge.runtime.rest.codec import from_object


def order_of_file(
    client: Client, path: Path, projects: Sequence[str], name: str
) -> tuple[CreateSweepRequest, dataset_pb2.DatasetSpec | None]:
    """The order, and the spec of its data set unless that is frozen already.

    projects: names or ids that take the place of the file's. name: the same, of the sweep. Without classes
    all that the task can use are learnt. WrongArgument with the field for a file that is no such order.
    """
    request = _read(path)
    config = request.config
    if projects:
        if config.dataset_id:
            raise WrongArgument(f"{path} names a frozen data set, which has its projects already.")
        config.project_ids[:] = [client.find_project(one).id for one in projects]
    request.name = name or request.name or path.stem
    if config.dataset_id:
        return request, None
    if not config.project_ids:
        raise WrongArgument(f"{path} names no images; name a --project, or config.project_ids in it.")
    if not config.classes:
        shapes = list(config.annotation_types)
        config.classes.extend(all_classes(client, config.project_ids, request.task_type, shapes))
    spec = dataset_pb2.DatasetSpec(
        project_ids=config.project_ids,
        task_type=request.task_type,
        classes=config.classes,
        annotation_types=config.annotation_types,
        split=config.split if config.HasField("split") else None,
        backgrounds=config.backgrounds,
        image_size=config.image_size,
    )
    return request, spec


def _read(path: Path) -> CreateSweepRequest:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ClientError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        found: Any = orjson.loads(data) if path.suffix.lower() == ".json" else yaml.safe_load(data)
    except (orjson.JSONDecodeError, yaml.YAMLError) as error:
        raise WrongArgument(f"{path} cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise WrongArgument(f"{path} is no order of a sweep; it needs axes, task_type and config.")
    for axis in found.get("axes") or () if isinstance(found.get("axes"), list) else ():
        # Values travel as texts; in a file numbers are numbers.
        if isinstance(axis, dict) and isinstance(axis.get("values"), list):
            axis["values"] = [_text(value) for value in axis["values"]]
    try:
        return from_object(CreateSweepRequest, found)
    except InvalidArgument as error:
        raise WrongArgument(f"{path}: {error.message}") from error


def _text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value) if isinstance(value, int) else value
