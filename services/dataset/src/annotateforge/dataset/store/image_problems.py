"""What is odd about an image's annotations, as bits of `image_labels.oddities`.

Annotations are judged as health does, by the box around them and the part of it that lies on the image, but
for all classes and types. `summarize_labels` notes it while they are written.
"""

from collections.abc import Mapping

from annotateforge.dataset.images import ImageProblem

ODDITIES: Mapping[ImageProblem, int] = {
    ImageProblem.TINY_ANNOTATION: 1,
    ImageProblem.HUGE_ANNOTATION: 2,
    ImageProblem.CLIPPED_ANNOTATION: 4,
    ImageProblem.ANNOTATION_OUTSIDE: 8,
    ImageProblem.ANNOTATION_WITHOUT_AREA: 16,
    ImageProblem.DUPLICATE_ANNOTATION: 32,
}
"""Their bits; other problems are known from columns of their own."""
