"""The option --set."""

import pytest

from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.training_settings_pb2 import ImageCache, TrainingSettings
from annotateforge.client.command.setting_options import change_config
from annotateforge.client.errors import WrongArgument


def test_settings_are_typed_as_the_proto_has_them() -> None:
    config = JobConfig(epochs=3)
    paths = change_config(config, ["mosaic=0.5", "cos_lr=true", "cache=ram", "settings.freeze=4", "epochs=7"])
    assert config == JobConfig(
        epochs=7,
        settings=TrainingSettings(mosaic=0.5, cos_lr=True, cache=ImageCache.IMAGE_CACHE_RAM, freeze=4),
    )
    assert paths == ["settings.mosaic", "settings.cos_lr", "settings.cache", "settings.freeze", "epochs"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mosaic", "NAME=VALUE"),
        ("mosaik=1", "mosaic"),
        ("mosaic=much", "number"),
        ("cos_lr=1", "true"),
        ("freeze=1.5", "whole"),
        ("cache=tape", "ram"),
    ],
)
def test_what_cannot_be_set_is_told(text: str, words: str) -> None:
    with pytest.raises(WrongArgument, match=words):
        change_config(JobConfig(), [text])


def test_a_setting_is_given_once() -> None:
    with pytest.raises(WrongArgument, match="twice"):
        change_config(JobConfig(), ["mosaic=1", "settings.mosaic=0"])
