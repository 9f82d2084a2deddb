"""The option --set."""

import pytest

from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.sweep_pb2 import SweepAxis, SweepRange
from annotateforge.api.trainer.v1.training_settings_pb2 import ImageCache, TrainingSettings
from annotateforge.client.command.setting_options import change_config, sweep_axes
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


def test_axes_of_a_sweep_are_values_or_ranges() -> None:
    assert sweep_axes(["mosaic=0,0.5", "learning_rate=0.001..0.1:log", "epochs=3..9"]) == [
        SweepAxis(setting="settings.mosaic", values=["0", "0.5"]),
        SweepAxis(setting="learning_rate", range=SweepRange(low=0.001, high=0.1, logarithmic=True)),
        SweepAxis(setting="epochs", range=SweepRange(low=3, high=9)),
    ]


@pytest.mark.parametrize(
    ("text", "words"), [("mosaic", "VALUE"), ("mosaik=1,2", "mosaic"), ("lrf=a..b", "range")]
)
def test_axes_that_are_none_are_told(text: str, words: str) -> None:
    with pytest.raises(WrongArgument, match=words):
        sweep_axes([text])
