"""The health of a spec: whether it can be trained, what may hurt, and what was left out."""

from collections.abc import Mapping
from dataclasses import dataclass

from annotateforge.dataset.labelling import Skip
from annotateforge.dataset.problems import Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of trouble."""

    severity: Severity
    reason: str
    message: str
    hint: str
    count: int = 0
    """How often it was found."""
    example_image_ids: tuple[bytes, ...] = ()
    """Up to ten images that show it, 16 bytes each."""
    class_label: str = ""


@dataclass(frozen=True, slots=True)
class ClassBalance:
    """A class on the sides of the split: images that show it and its instances in them."""

    class_label: str
    train_images: int
    val_images: int
    test_images: int
    train_instances: int
    val_instances: int
    test_instances: int

    @property
    def images(self) -> int:
        """Images on all sides."""
        return self.train_images + self.val_images + self.test_images

    @property
    def instances(self) -> int:
        """Instances on all sides."""
        return self.train_instances + self.val_instances + self.test_instances


@dataclass(frozen=True, slots=True)
class Skipped:
    """What did not go in for one reason."""

    reason: Skip
    kind: str
    """"image" or "annotation"."""
    count: int

    @property
    def message(self) -> str:
        """What the reason means, in a sentence."""
        return _MEANING[self.kind, self.reason]


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What freezing a spec gives, or would give."""

    findings: tuple[Finding, ...]
    """The worst first."""
    total_images: int
    train_images: int
    test_images: int
    background_images: int
    """Images that go in without a label because they show nothing."""
    classes: tuple[ClassBalance, ...]
    """By position."""
    skipped: tuple[Skipped, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the spec from being frozen."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def val_images(self) -> int:
        """Images for validation."""
        return self.total_images - self.train_images - self.test_images


_MEANING: Mapping[tuple[str, Skip], str] = {
    ("annotation", Skip.WITHOUT_CLASS): "Annotations that nobody has given a class.",
    ("annotation", Skip.CLASS_NOT_CHOSEN): "Annotations whose class is none of the spec's.",
    ("annotation", Skip.TYPE_NOT_CHOSEN): "Annotations of a chosen class whose type the spec does not use.",
    ("annotation", Skip.OUTSIDE_IMAGE): "Annotations of which nothing lies on the image.",
    ("annotation", Skip.NO_AREA): "Annotations without an area on the image.",
    ("annotation", Skip.DUPLICATE_ANNOTATION): "Annotations that another one on the same image equals.",
    ("image", Skip.UNLABELLED_IMAGE): "Images without any annotation.",
    ("image", Skip.NO_CHOSEN_CLASS): "Images with annotations, none of which has a class of the spec.",
    ("image", Skip.NO_USABLE_ANNOTATION): "Images whose annotations of the spec's classes were all left out.",
    ("image", Skip.NO_IMAGE_CLASS): "Images that have no class of their own.",
    ("image", Skip.CLASS_NOT_CHOSEN): "Images whose class is none of the spec's.",
}
