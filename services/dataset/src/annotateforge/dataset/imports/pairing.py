"""Pairing: which image a label file, or a reference in one, means.

Label files travel: they name images by absolute paths of foreign machines, with another letter case, with
another extension or none, and lie beside the images, in a parallel folder or somewhere else. The rules, the
strongest first: the same folders (names such as `images` and `labels` aside) and the same stem; the most
shared folders; the only one of that stem.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from urllib.parse import unquote

import numpy as np

from annotateforge.dataset.imports.tree import folders, stem

_KIND_FOLDERS = frozenset(
    (
        *("images", "image", "imgs", "img", "jpegimages", "photos", "pictures"),
        *("labels", "label", "annotations", "annotation", "anns", "ann", "xml", "xmls", "txt"),
        # KITTI, whose image_3 is another camera.
        *("image_2", "label_2"),
    )
)
_MOST_COMPARED = 1000
"""Files of one stem that are compared by folders; beyond it every comparison with every other would take
minutes.
"""


def place(path: str) -> tuple[str, ...]:
    """The folders of a path without those that only say what kind of file lies there, letter case ignored."""
    return tuple(
        name for name in (folder.casefold() for folder in folders(path)) if name not in _KIND_FOLDERS
    )


def kinship(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[bool, int, int]:
    """How closely two places are related: equal, innermost folders shared, outermost folders shared."""
    return one == other, _shared(reversed(one), reversed(other)), _shared(one, other)


class ImagePaths:
    """The images of an archive, to be found by what label files say."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_stem = _ByStem(paths)

    def of_stem(self, label_path: str) -> Sequence[str]:
        """All images with the stem of a label file, or else those whose whole name is it (a.jpg.txt)."""
        wanted = stem(label_path).casefold()
        if found := self._by_stem.of(wanted):
            return found
        return [
            path for path in self._by_stem.of(stem(wanted)) if path.rsplit("/", 1)[-1].casefold() == wanted
        ]

    def meant(self, reference: str, label_path: str) -> Sequence[str]:
        """The images that a reference may mean as it is written, or else as the URL that it may be; see
        `named`.
        """
        composed = unicodedata.normalize("NFC", reference.strip())
        bare = composed.split("?", 1)[0].split("#", 1)[0]
        for spelling in dict.fromkeys((composed, bare, unicodedata.normalize("NFC", unquote(bare)))):
            if found := self.named(spelling, label_path):
                return found
        return ()

    def named(self, reference: str, label_path: str) -> Sequence[str]:
        """The images that a reference in a label file may mean: none, one, or several where it is
        ambiguous.
        """
        wanted = [
            part.casefold() for part in reference.replace("\\", "/").split("/") if part not in ("", ".", "..")
        ]
        if not wanted:
            return ()
        name = wanted[-1]
        candidates = [
            path for path in self._by_stem.of(stem(name)) if path.casefold().rsplit("/", 1)[-1] == name
        ]
        if not candidates:
            # Named without its extension, or with that of another encoding.
            candidates = [*self._by_stem.of(stem(name))] or [*self._by_stem.of(name)]
        if len(candidates) <= 1 or len(candidates) > _MOST_COMPARED:
            return candidates
        label_place = place(label_path)
        wanted_place = wanted[:-1]
        return _best(
            candidates,
            {
                path: (
                    _shared(reversed(wanted_place), (f.casefold() for f in reversed(folders(path)))),
                    *kinship(place(path), label_place),
                )
                for path in candidates
            },
        )


def pair_by_stem(labels: Iterable[str], images: ImagePaths) -> dict[str, Sequence[str]]:
    """For each label file the images that it labels: several where `a.jpg` and `a.png` share `a.txt`, none
    where it has none.

    A label takes an image only if no other label of that stem is closer to the image.
    """
    pairs: dict[str, Sequence[str]] = {}
    for rivals in _by_equal_stem(list(labels)):
        images_of_stem = images.of_stem(rivals[0])
        if len(rivals) == 1 and len(images_of_stem) == 1:
            pairs[rivals[0]] = images_of_stem
        else:
            pairs |= _pair(rivals, images_of_stem)
    return pairs


class _ByStem:
    """Paths by their stem, letter case ignored. Most stems have one, which takes no list then: there may be
    hundreds of thousands.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths: dict[str, str | list[str]] = {}
        for path in paths:
            key = stem(path).casefold()
            there = self._paths.get(key)
            if there is None:
                self._paths[key] = path
            elif isinstance(there, str):
                self._paths[key] = [there, path]
            else:
                there.append(path)

    def of(self, key: str) -> Sequence[str]:
        """The paths of a stem."""
        found = self._paths.get(key, ())
        return (found,) if isinstance(found, str) else found


def _by_equal_stem(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    """The paths in groups of the same stem, letter case ignored: by hashes, because a dictionary of all stems
    would take more memory than the paths.
    """
    hashes = np.fromiter((hash(stem(path).casefold()) for path in paths), np.int64, len(paths))
    order = np.argsort(hashes, kind="stable")
    ends = (np.flatnonzero(np.diff(hashes[order])) + 1).tolist()
    for begin, end in pairwise((0, *ends, len(paths))):
        group = [paths[at] for at in order[begin:end].tolist()]
        if len(group) == 1:
            yield group
            continue
        by_stem: dict[str, list[str]] = defaultdict(list)
        for path in group:
            by_stem[stem(path).casefold()].append(path)
        yield from by_stem.values()


def _pair(labels: Sequence[str], images: Sequence[str]) -> dict[str, Sequence[str]]:
    images_at: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for image in images:
        images_at[place(image)].append(image)
    pairs: dict[str, Sequence[str]] = {}
    others = []
    for label in labels:
        if found := images_at.get(place(label)):
            pairs[label] = found
        else:
            others.append(label)
    taken = {image for found in pairs.values() for image in found}
    free = [image for image in images if image not in taken]
    if not others or not free or len(others) * len(free) > _MOST_COMPARED**2:
        return {**pairs, **dict.fromkeys(others, ())}
    closeness = {
        label: {image: kinship(place(image), place(label))[1:] for image in free} for label in others
    }
    for label in others:
        best = _best(free, closeness[label])
        mutual = [
            image
            for image in best
            if closeness[label][image] >= max(closeness[rival][image] for rival in others)
        ]
        related = len(others) == 1 and len({place(image) for image in free}) == 1
        pairs[label] = [image for image in mutual if related or closeness[label][image] > (0, 0)]
        if len({place(image) for image in pairs[label]}) > 1:
            pairs[label] = ()
    return pairs


def _best(candidates: Sequence[str], score: Mapping[str, tuple[int, ...]]) -> Sequence[str]:
    highest = max(score[candidate] for candidate in candidates)
    return [candidate for candidate in candidates if score[candidate] == highest]


def _shared(one: Iterable[str], other: Iterable[str]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
