import hashlib
from dataclasses import replace

import numpy as np
import pytest

from annotateforge.dataset.amount import amount
from annotateforge.dataset.columns import NO_LABEL, NOT_CHOSEN, Look
from annotateforge.dataset.examination import examine, missing_classes
from annotateforge.dataset.health import Finding, HealthReport
from annotateforge.dataset.health_message import health_message, shortened_message
from annotateforge.dataset.manifest import TRAIN, VAL
from annotateforge.dataset.problems import Severity
from annotateforge.dataset.spec import DatasetSpec, Split, Strategy, Task
from tests.unit.dataset.pictured import (
    BOX,
    POLYGON,
    RECTANGLE,
    Drawn,
    Pictured,
    columns_of,
    freeze_columns,
    spec_of,
)

TRIANGLE = (1.0, 1.0, 9.0, 1.0, 9.0, 9.0)


def examined(spec: DatasetSpec, images: list[Pictured], *labels: str) -> HealthReport:
    columns = columns_of(images)
    return examine(spec, columns[0], freeze_columns(spec, *columns), labels)


def boxed(number: int, *class_ids: int, group: int = 0) -> Pictured:
    """An image of the usual size with a box of each class."""
    boxes = [Drawn(BOX, (20 * n, 10, 20 * n + 10, 90), c) for n, c in enumerate(class_ids)]
    return Pictured(number.to_bytes(4, "big"), boxes, group=group, width=640, height=480)


def found(report: HealthReport) -> dict[str, Finding]:
    return {finding.reason: finding for finding in report.findings}


def test_enough_of_everything_gives_no_finding() -> None:
    report = examined(spec_of(), [boxed(number, number % 2) for number in range(400)])
    assert report.findings == ()
    assert not report.errors
    assert (report.total_images, report.train_images, report.val_images) == (400, 320, 80)
    assert [(row.train_images, row.val_images) for row in report.classes] == [(160, 40), (160, 40)]


def test_sizes_are_judged_by_the_size_of_the_training() -> None:
    images = [boxed(number, number % 2) for number in range(400)]
    for size, reason in ((128, "IMAGES_FAR_LARGER"), (2048, "IMAGES_FAR_SMALLER")):
        finding = found(examined(replace(spec_of(), image_size=size), images))[reason]
        assert finding.count == 400
        assert f"{size} pixels" in finding.message
    # 10 of 640 pixels are 2 of 128.
    tiny = found(examined(replace(spec_of(), image_size=128), images))["TINY_ANNOTATIONS"]
    assert "size of 128" in tiny.message
    spec = spec_of()
    assert spec.fingerprint == replace(spec, image_size=640).fingerprint
    assert spec.fingerprint != replace(spec, image_size=128).fingerprint


def test_a_shortened_report_keeps_the_worst_and_says_what_it_leaves_out() -> None:
    images = [Pictured(bytes([n, n]), [Drawn(BOX, (1, 1, 200, 9), 0)]) for n in range(60)]
    report = examined(spec_of(classes=["red", *(f"{n} {'x' * 40}" for n in range(100))]), images)
    whole = health_message(report)
    short = shortened_message(report, 2400)
    assert short.ByteSize() <= 2400
    assert (short.total_images, short.trainable) == (60, False)
    assert list(short.findings) == list(whole.findings[: len(short.findings)])
    assert len(short.findings) + short.findings_omitted == len(whole.findings)
    few = examined(spec_of(classes=["red", "none"]), images)
    short = shortened_message(few, 2400)
    assert short.findings_omitted == 0
    shown = {each.reason: list(each.example_image_ids) for each in short.findings}
    for finding in health_message(few).findings:
        examples = shown[finding.reason]
        assert examples == list(finding.example_image_ids)[: len(examples)]
        assert bool(examples) == bool(finding.example_image_ids)


def test_no_images_is_the_only_finding_where_there_are_none() -> None:
    assert list(found(examined(spec_of(), []))) == ["NO_IMAGES"]


def test_a_class_without_instances_is_told_with_what_might_be_meant() -> None:
    images = [boxed(number, 0) for number in range(4)]
    spec = spec_of(classes=["red", "Green"])
    assert missing_classes(freeze_columns(spec, *columns_of(images)), spec)
    finding = examined(spec, images, "red", "green").errors[0]
    assert (finding.reason, finding.class_label) == ("CLASS_WITHOUT_INSTANCES", "Green")
    assert finding.hint == 'Did you mean "green"?'
    assert (
        "Other labels there are: blue, pink." in examined(spec, images, "red", "blue", "pink").errors[0].hint
    )


def test_annotations_of_other_types_are_named() -> None:
    images = [
        Pictured(bytes([n]), [Drawn(POLYGON, TRIANGLE, 0), Drawn(POLYGON, TRIANGLE, 1)]) for n in range(3)
    ]
    finding = examined(spec_of(), images).errors[0]
    assert finding.reason == "NOTHING_FITS_TASK"
    assert "6 polygons" in finding.message
    assert "circles, boxes and rectangles" in finding.message
    assert finding.count == 6
    images = [boxed(number, 0, 1) for number in range(3)]
    finding = examined(spec_of(Task.SEGMENT), images).errors[0]
    assert "6 boxes" in finding.message
    assert "detect" in finding.hint


def test_labels_of_the_other_kind_are_named() -> None:
    images = [boxed(number, 0) for number in range(3)]
    assert "train detect" in found(examined(spec_of(Task.CLASSIFY), images))["NOTHING_FITS_TASK"].hint
    images = [Pictured(bytes([number]), class_id=NOT_CHOSEN) for number in range(3)]
    assert "train classify" in found(examined(spec_of(), images))["NOTHING_FITS_TASK"].hint


def test_what_cannot_be_divided_is_too_few() -> None:
    assert "TOO_FEW_IMAGES" in found(examined(spec_of(classes=["a"]), [boxed(1, 0)]))
    group = [boxed(number, 0, group=1) for number in range(5)]
    assert list(found(examined(spec_of(classes=["a"]), group))) == ["TOO_FEW_IMAGES"]
    assert not examined(spec_of(classes=["a"]), [*group, boxed(9, 0)]).errors


def test_few_images_and_missing_sides_are_warned_of() -> None:
    images = [boxed(number, 0) for number in range(149)] + [boxed(1000, 1)]
    report = examined(spec_of(), images)
    by_reason = found(report)
    assert by_reason["FEW_IMAGES_PER_CLASS"].class_label == "b"
    assert by_reason["FEW_IMAGES_PER_CLASS"].count == 1
    one_side = {"CLASS_MISSING_IN_VAL", "CLASS_MISSING_IN_TRAIN"} & set(by_reason)
    assert len(one_side) == 1
    assert len(by_reason[one_side.pop()].example_image_ids) == 1
    assert by_reason["CLASS_IMBALANCE"].class_label == "b"
    assert all(finding.severity is Severity.WARNING for finding in report.findings)
    sides = {
        reason
        for seed in range(30)
        for reason in found(examined(spec_of(split=Split(seed=seed)), images))
        if reason.startswith("CLASS_MISSING")
    }
    assert sides == {"CLASS_MISSING_IN_VAL", "CLASS_MISSING_IN_TRAIN"}


def test_clipped_and_unlabelled_annotations_are_counted_with_ten_examples() -> None:
    overhanging = Drawn(BOX, (90, 40, 110, 60), 0)
    images = [Pictured(bytes([n]), [overhanging, Drawn(BOX, (1, 1, 2, 2), NO_LABEL)]) for n in range(15)]
    by_reason = found(examined(spec_of(classes=["a"]), images))
    for reason in ("ANNOTATIONS_CLIPPED", "ANNOTATIONS_WITHOUT_CLASS"):
        assert by_reason[reason].count == 15
        assert len(set(by_reason[reason].example_image_ids)) == 10


def test_errors_come_first() -> None:
    report = examined(spec_of(classes=["a", "b", "c"]), [boxed(1, 0), boxed(2, 0), boxed(3, 1)])
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, key=lambda severity: severity is not Severity.ERROR)
    assert severities[0] is Severity.ERROR
    assert Severity.WARNING in severities


def test_every_skip_is_explained() -> None:
    drawn = [Drawn(BOX, (1, 1, 2, 2), class_id) for class_id in (0, 0, NO_LABEL, NOT_CHOSEN)]
    drawn += [Drawn(POLYGON, TRIANGLE), Drawn(BOX, (-9, -9, -1, -1))]
    images = [Pictured(b"1", drawn), Pictured(b"2"), Pictured(b"3", drawn[2:3]), Pictured(b"4", drawn[-1:])]
    report = examined(spec_of(classes=["a"]), images)
    assert len(report.skipped) == 8
    assert all(each.message.endswith(".") for each in report.skipped)
    classified = [
        Pictured(b"1", class_id=NO_LABEL),
        Pictured(b"2", class_id=NOT_CHOSEN),
        Pictured(b"3", class_id=0),
    ]
    report = examined(spec_of(Task.CLASSIFY, ["a"]), classified)
    assert [(each.kind, each.count) for each in report.skipped] == [("image", 1), ("image", 1)]
    assert all(each.message.endswith(".") for each in report.skipped)


def looks(*kinds: int) -> list[bytes]:
    """Fingerprints, the same for the same kinds."""
    return [bytes([1]) + hashlib.sha256(bytes([kind])).digest() + bytes([100] * 4) for kind in kinds]


def test_near_duplicates_are_told_and_those_across_the_split_before_all_others() -> None:
    images = [
        replace(boxed(number, 0), fingerprint=look)
        for number, look in enumerate(looks(*range(60), *range(10), *range(10)))
    ]
    report = examined(spec_of(classes=["a"]), images)
    by_reason = found(report)
    assert by_reason["NEAR_DUPLICATES"].count == 30
    assert "10 clusters" in by_reason["NEAR_DUPLICATES"].message
    across = by_reason["NEAR_DUPLICATES_ACROSS_SPLIT"]
    assert report.findings[0] is across
    assert 0 < across.count <= 30
    assert 2 <= len(set(across.example_image_ids)) <= 10
    grouped = found(examined(spec_of(classes=["a"], split=Split(strategy=Strategy.GROUPED)), images))
    assert "NEAR_DUPLICATES_ACROSS_SPLIT" not in grouped
    assert grouped["NEAR_DUPLICATES"].count == 30


def test_what_is_there_once_is_told_in_the_singular() -> None:
    images = [replace(boxed(number, 0), fingerprint=look) for number, look in enumerate(looks(*range(60), 0))]
    report = examined(spec_of(classes=["a"]), images)
    assert found(report)["NEAR_DUPLICATES"].message.endswith("in 1 cluster.")
    assert amount(1, "image has", "images have") == "1 image has"
    assert amount(0, "image has", "images have") == "0 images have"
    assert amount(1200, "image has", "images have") == "1,200 images have"


def test_examples_across_the_split_show_both_sides() -> None:
    images = [replace(boxed(number, 0), fingerprint=look) for number, look in enumerate(looks(*[1] * 40))]
    columns = columns_of(images)
    frozen = freeze_columns(spec_of(classes=["a"]), *columns)
    report = examine(spec_of(classes=["a"]), columns[0], frozen)
    shown = found(report)["NEAR_DUPLICATES_ACROSS_SPLIT"].example_image_ids
    ids = [columns[0].id[index].tobytes() for index in frozen.included]
    sides = dict(zip(ids, frozen.sides.tolist(), strict=True))
    assert {sides[image] for image in shown} == {TRAIN, VAL}


def test_exact_copies_are_no_near_duplicates_and_contrary_labels_are_told() -> None:
    alike = looks(1)[0]
    images = [replace(boxed(number, 0), fingerprint=look) for number, look in enumerate(looks(*range(2, 30)))]
    same = [replace(boxed(1000, class_id), fingerprint=alike) for class_id in (0, 0)]
    by_reason = found(examined(spec_of(classes=["a"]), [*images, *same]))
    assert by_reason["EXACT_DUPLICATES"].count == 2
    assert {"NEAR_DUPLICATES", "COPIES_LABELLED_DIFFERENTLY"} & set(by_reason) == set()
    contrary = [replace(boxed(1000, class_id), fingerprint=alike) for class_id in (0, 1)]
    by_reason = found(examined(spec_of(), [*images, *contrary]))
    assert by_reason["COPIES_LABELLED_DIFFERENTLY"].count == 2


def test_odd_annotations_are_told_with_their_images() -> None:
    odd = {
        "ANNOTATIONS_OUTSIDE_IMAGE": Drawn(BOX, (-9, -9, -1, -1)),
        "ANNOTATIONS_WITHOUT_AREA": Drawn(RECTANGLE, (1, 1, 9, 1, 9, 1, 1, 1)),
        "DUPLICATE_ANNOTATIONS": Drawn(BOX, (300, 200, 400, 300)),
        "ANNOTATIONS_OF_OTHER_TYPES": Drawn(POLYGON, TRIANGLE),
        "TINY_ANNOTATIONS": Drawn(BOX, (10, 10, 12, 80)),
        "HUGE_ANNOTATIONS": Drawn(BOX, (0, 0, 640, 475)),
    }
    plain = Drawn(BOX, (300, 200, 400, 300))
    images = [
        Pictured(reason.encode(), [plain, drawn], width=640, height=480) for reason, drawn in odd.items()
    ]
    columns = columns_of(images)
    spec = spec_of(classes=["a"])
    by_reason = found(examine(spec, columns[0], freeze_columns(spec, *columns)))
    for number, reason in enumerate(odd):
        assert by_reason[reason].count == 1
        assert by_reason[reason].example_image_ids == (columns[0].id[number].tobytes(),)
        assert by_reason[reason].severity is Severity.WARNING


@pytest.mark.parametrize(
    ("pixels", "tiny"), [((0, 0, 30, 2.9, 30, 30, 0, 30), False), ((0, 0, 30, 0, 30, 2.9, 0, 2.9), True)]
)
def test_polygons_are_tiny_by_the_box_around_them(pixels: tuple[float, ...], tiny: bool) -> None:
    images = [Pictured(bytes([n]), [Drawn(POLYGON, pixels)], width=640, height=640) for n in range(3)]
    assert ("TINY_ANNOTATIONS" in found(examined(spec_of(Task.SEGMENT, ["a"]), images))) is tiny


def test_what_is_known_of_the_images_is_told() -> None:
    images = [boxed(number, 0) for number in range(10)]
    images[1] = replace(images[1], look=Look.UNREADABLE)
    images[2] = replace(images[2], look=Look.PENDING)
    images[3] = replace(images[3], width=200, height=100, drawn=[Drawn(BOX, (1, 1, 90, 90))])
    images[4] = replace(images[4], width=5000, drawn=[Drawn(BOX, (1, 1, 400, 400))])
    images += [Pictured(b"unlabelled", width=640, height=480)]
    report = examined(spec_of(classes=["a"]), images)
    severities = {finding.reason: finding.severity for finding in report.findings}
    assert severities == {
        "FEW_IMAGES_PER_CLASS": Severity.WARNING,
        "IMAGES_CORRUPT": Severity.WARNING,
        "UNLABELLED_IMAGES": Severity.WARNING,
        "FINGERPRINTS_PENDING": Severity.INFO,
        "IMAGES_FAR_SMALLER": Severity.INFO,
        "IMAGES_FAR_LARGER": Severity.INFO,
    }
    assert all(finding.count == 1 for finding in report.findings if finding.reason != "FEW_IMAGES_PER_CLASS")


def test_reviewed_and_empty_images_are_backgrounds_when_asked_for() -> None:
    images = [boxed(number, 0) for number in range(10)]
    images += [Pictured(bytes([n]), reviewed=n < 3, width=640, height=480) for n in range(5)]
    without = examined(spec_of(classes=["a"]), images)
    assert (without.total_images, without.background_images) == (10, 0)
    assert found(without)["UNLABELLED_IMAGES"].count == 5
    spec = replace(spec_of(classes=["a"]), backgrounds=True)
    report = examined(spec, images)
    assert (report.total_images, report.background_images) == (13, 3)
    assert found(report)["UNLABELLED_IMAGES"].count == 2
    assert [(each.reason, each.count) for each in report.skipped] == [("UNLABELLED_IMAGE", 2)]
    records = freeze_columns(spec, *columns_of(images)).manifest.records
    assert np.count_nonzero(records["label_size"] == 0) == 3


def test_a_split_in_three_needs_three_images_and_misses_classes_on_any_side() -> None:
    split = Split(test_ratio=0.1)
    report = examined(spec_of(classes=["a"], split=split), [boxed(1, 0), boxed(2, 0)])
    assert found(report)["TOO_FEW_IMAGES"].severity is Severity.ERROR
    report = examined(spec_of(split=split), [*(boxed(n, 0) for n in range(20)), boxed(99, 1)])
    assert len({reason for reason in found(report) if reason.startswith("CLASS_MISSING_IN_")}) == 2
    assert (report.train_images, report.val_images, report.test_images) == (17, 2, 2)
