import csv
from collections.abc import Iterator

import pytest

from annotateforge.registry.curves import MOST_POINTS, curve_of, thinned
from annotateforge.registry.models import TaskType

DETECT = b"""\
  epoch,  time, train/box_loss, train/cls_loss, metrics/precision(B), metrics/mAP50-95(B), val/box_loss,lr/pg0
      1,  3.25,            1.5,              2,                  0.5,                0.25,         1.75,  0.01
      2,  6.50,            nan,            1.5,                  0.6,                 nan,          inf,  0.01
"""


def test_losses_are_summed_and_metrics_have_our_names() -> None:
    first, second = curve_of(DETECT, TaskType.DETECT)
    assert (first.epoch, first.train_loss, first.val_loss) == (1, 3.5, 1.75)
    assert dict(first.metrics) == {"precision": 0.5, "map50_95": 0.25}
    assert not second.HasField("train_loss")
    assert not second.HasField("val_loss")
    assert dict(second.metrics) == {"precision": 0.6}


def test_other_tasks_have_other_metrics() -> None:
    table = b"epoch,train/loss,val/loss,metrics/accuracy_top1,metrics/accuracy_top5\n1,0.5,0.25,0.75,1\n"
    (point,) = curve_of(table, TaskType.CLASSIFY)
    assert dict(point.metrics) == {"top1_accuracy": 0.75, "top5_accuracy": 1.0}
    table = b"epoch,metrics/mAP50(B),metrics/mAP50(M)\n1,0.5,0.25\n"
    (point,) = curve_of(table, TaskType.SEGMENT)
    assert dict(point.metrics) == {"box_map50": 0.5, "mask_map50": 0.25}


@pytest.fixture
def usual_field_limit() -> Iterator[None]:
    """What Python has; readers of large tables in the same process raise it for all."""
    before = csv.field_size_limit(131_072)
    yield
    csv.field_size_limit(before)


@pytest.mark.usefixtures("usual_field_limit")
def test_a_damaged_table_gives_what_can_be_read() -> None:
    table = b"epoch,val/loss\n1,0.5\nx,0.5\n0,1\n1.5,1\n2\n3,0.25,extra\n1,0.75\n\xff\xfe\n"
    points = curve_of(table, TaskType.DETECT)
    assert [(point.epoch, point.val_loss) for point in points] == [(1, 0.75), (2, 0.0), (3, 0.25)]
    assert not points[1].HasField("val_loss")
    huge = (
        b"epoch,val/a,val/b\n1,0.5,1\n2,"
        + b"9" * 200_000
        + b"\n1e300,1,1\n4294967296,1,1\n3,1e308,1e308\n4,1,2\n"
    )
    points = curve_of(huge, TaskType.DETECT)
    assert [(point.epoch, point.val_loss) for point in points] == [(1, 1.5), (3, 0.0), (4, 3.0)]
    assert not points[1].HasField("val_loss")
    for nothing in (b"", b"\n", b"\0\0", b"loss\n1\n"):
        assert curve_of(nothing, TaskType.DETECT) == []


def test_of_a_long_training_a_thousand_points_are_kept_with_the_best_and_the_last() -> None:
    table = b"epoch,val/loss\n" + b"".join(b"%d,0.5\n" % epoch for epoch in range(1, 2501))
    points = curve_of(table, TaskType.DETECT)
    kept = [point.epoch for point in thinned(points, best_epoch=1234)]
    assert len(kept) <= MOST_POINTS + 2
    assert {1, 4, 1234, 2500} <= set(kept)
    assert kept == sorted(set(kept))
    assert thinned(points[:1000], 7) == points[:1000]
    assert thinned([], 0) == []
