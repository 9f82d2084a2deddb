"""A config changed in part: what a restart asks for, put over what the first job was trained with.

The config of a job has its defaults filled in. One that was filled in must not pass for a wish: with another
optimizer it is that one's rate that is wanted. So defaults are taken out first, then the changes are put in,
and the caller fills in defaults anew.
"""

from collections.abc import Iterator, Sequence

from google.protobuf.message import Message

from annotateforge.api.dataset.v1.dataset_pb2 import TaskType
from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.trainer.config import filled_config
from annotateforge.trainer.violations import Violations, shown

_SPEC = ("project_ids", "classes", "annotation_types", "split", "backgrounds")
"""Fields that say what the data set is made of, as dataset_id does."""
DATA = (*_SPEC, "dataset_id")
_PARTS = ("settings", "split")
"""Messages whose fields change one by one."""
_LONGEST_MASK = 200


def without_defaults(config: JobConfig, task: TaskType.ValueType) -> JobConfig:
    """The config without what filling in defaults would bring back as it is."""
    bare = JobConfig()
    bare.CopyFrom(config)
    for path in list(_given_paths(config)):
        if path.partition(".")[0] in DATA:
            continue
        tried = JobConfig()
        tried.CopyFrom(bare)
        _clear(tried, path)
        if filled_config(tried, task, Violations()) == filled_config(bare, task, Violations()):
            bare = tried
    return bare


def changed(
    config: JobConfig,
    changes: JobConfig,
    mask: Sequence[str],
    task: TaskType.ValueType,
    violations: Violations,
) -> JobConfig:
    """A job's config with changes put over it, defaults left out; what is wrong goes into `violations`.

    With a mask exactly its paths change, and one that `changes` leaves out gets its default; without one
    whatever `changes` gives.
    """
    given = list(_given_paths(changes))
    paths = _checked_mask(given, mask, violations) if mask else given
    made = without_defaults(config, task)
    for path in paths:
        _clear(made, path)
    names = {path.partition(".")[0] for path in paths}
    # One way of naming the data set, or the model, takes the place of the other.
    if "dataset_id" in names and changes.dataset_id:
        for name in _SPEC:
            made.ClearField(name)  # type: ignore[arg-type]  # names of fields
    elif names & set(_SPEC):
        made.dataset_id = ""
    if changes.base_model_id and "base_model_id" in names and "model" not in names:
        made.model = ""
    for path in paths:
        _copy(changes, made, path)
    return made


def changes_data(config: JobConfig, made: JobConfig) -> bool:
    """Whether a changed config names other data than the one that it was made from."""
    return any(getattr(config, name) != getattr(made, name) for name in DATA)


def _checked_mask(given: Sequence[str], mask: Sequence[str], violations: Violations) -> list[str]:
    if len(mask) > _LONGEST_MASK:
        violations.add("update_mask", f"has {len(mask):,} entries; at most {_LONGEST_MASK} are possible")
        return []
    paths: list[str] = []
    for index, path in enumerate(mask):
        if not _is_path(path):
            violations.add(f"update_mask[{index}]", f"{shown(path)} is no field of a config")
        elif path in _PARTS:
            paths += [f"{path}.{field.name}" for field in _part(path).DESCRIPTOR.fields]
        else:
            paths.append(path)
    for path in given:
        if path not in paths:
            violations.add(f"config.{path}", "is given, and update_mask does not name it")
    return paths


def _given_paths(config: JobConfig) -> Iterator[str]:
    for field, value in config.ListFields():
        if field.name in _PARTS:
            yield from (f"{field.name}.{inner.name}" for inner, _ in value.ListFields())
        else:
            yield field.name


def _is_path(path: str) -> bool:
    parent, dot, name = path.rpartition(".")
    if not dot:
        return name in JobConfig.DESCRIPTOR.fields_by_name
    return parent in _PARTS and name in _part(parent).DESCRIPTOR.fields_by_name


def _part(name: str) -> Message:
    part: Message = getattr(JobConfig(), name)
    return part


def _clear(config: JobConfig, path: str) -> None:
    parent, dot, name = path.rpartition(".")
    message: Message = getattr(config, parent) if dot else config
    message.ClearField(name)


def _copy(source: JobConfig, target: JobConfig, path: str) -> None:
    """Set a field, or one of a part, as it is in `source`; one that is not set there is left as it is."""
    parent, dot, name = path.rpartition(".")
    one: Message = getattr(source, parent) if dot else source
    if name not in {field.name for field, _ in one.ListFields()}:
        return
    only = type(one)()
    only.CopyFrom(one)
    for field, _ in one.ListFields():
        if field.name != name:
            only.ClearField(field.name)
    into: Message = getattr(target, parent) if dot else target
    into.MergeFrom(only)
