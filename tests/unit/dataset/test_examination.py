from annotateforge.dataset.columns import NO_LABEL, NOT_CHOSEN
from annotateforge.dataset.examination import examine, missing_classes
from annotateforge.dataset.freezing import freeze
from annotateforge.dataset.health import Finding, HealthReport
from annotateforge.dataset.problems import Severity
from annotateforge.dataset.spec import DatasetSpec, Split, Task
from tests.unit.dataset.pictured import BOX, POLYGON, Drawn, Pictured, columns_of, spec_of

TRIANGLE = (1.0, 1.0, 9.0, 1.0, 9.0, 9.0)


def examined(spec: DatasetSpec, images: list[Pictured], *labels: str) -> HealthReport:
    columns = columns_of(images)
    return examine(spec, columns[0], freeze(spec, *columns), labels)


def boxed(number: int, *class_ids: int, **more: int) -> Pictured:
    """An image with a box of each class."""
    return Pictured(
        number.to_bytes(4, "big"), [Drawn(BOX, (n, 1, n + 1, 9), c) for n, c in enumerate(class_ids)], **more
    )


def found(report: HealthReport) -> dict[str, Finding]:
    return {finding.reason: finding for finding in report.findings}


def test_enough_of_everything_gives_no_finding() -> None:
    report = examined(spec_of(), [boxed(number, number % 2) for number in range(400)])
    assert report.findings == ()
    assert not report.errors
    assert (report.total_images, report.train_images, report.val_images) == (400, 320, 80)
    assert [(row.train_images, row.val_images) for row in report.classes] == [(160, 40), (160, 40)]


def test_no_images_is_the_only_finding_where_there_are_none() -> None:
    assert list(found(examined(spec_of(), []))) == ["NO_IMAGES"]


def test_a_class_without_instances_is_told_with_what_might_be_meant() -> None:
    images = [boxed(number, 0) for number in range(4)]
    spec = spec_of(classes=["red", "Green"])
    assert missing_classes(freeze(spec, *columns_of(images)), spec)
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
    images = [boxed(number, 0, class_id=NO_LABEL) for number in range(3)]
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
