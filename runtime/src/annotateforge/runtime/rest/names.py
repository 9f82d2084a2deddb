"""What fields are made of, and the short names of enum values: TASK_TYPE_DETECT of TaskType is `detect`."""

import re

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def enum_of(field: FieldDescriptor) -> EnumDescriptor:
    """The enum of an enum field. TypeError for any other field."""
    if field.enum_type is None:
        raise TypeError(f"{field.full_name} is no enum")
    return field.enum_type


def message_of(field: FieldDescriptor) -> Descriptor:
    """The message type of a message field. TypeError for any other field."""
    if field.message_type is None:
        raise TypeError(f"{field.full_name} is no message")
    return field.message_type


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a map."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


class EnumNames(dict[int, str | int]):
    """Short name by number; a number that this version does not know stands for itself."""

    def __missing__(self, number: int) -> int:
        return number


def enum_names(enum: EnumDescriptor) -> EnumNames:
    """Short names of an enum's values by number."""
    prefix = _WORD.sub("_", enum.name).upper() + "_"
    # The last of several names for one number would win; the first one is the one that was declared for it.
    return EnumNames(
        (value.number, value.name.removeprefix(prefix).lower()) for value in reversed(enum.values)
    )


def enum_numbers(enum: EnumDescriptor) -> dict[str, int]:
    """Numbers of an enum's values by short name."""
    prefix = _WORD.sub("_", enum.name).upper() + "_"
    return {value.name.removeprefix(prefix).lower(): value.number for value in enum.values}


def choices(enum: EnumDescriptor) -> list[str]:
    """Short names that a caller may choose from: all but that of 0, which means that nothing was chosen."""
    return [name for name, number in enum_numbers(enum).items() if number != 0]
