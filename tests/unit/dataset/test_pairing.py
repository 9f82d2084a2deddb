"""Which image a label means."""

import time

from hypothesis import given
from hypothesis import strategies as st

from annotateforge.dataset.imports.pairing import ImagePaths, pair_by_stem

PATHS = st.lists(
    st.sampled_from("abc").flatmap(
        lambda stem: st.sampled_from(["train", "val", "x/y", ""]).map(lambda f: f"{f}/{stem}")
    ),
    unique=True,
)


def paired(labels: list[str], images: list[str]) -> dict[str, list[str]]:
    return {label: list(found) for label, found in pair_by_stem(labels, ImagePaths(images)).items()}


def test_the_same_folders_win_over_any_other() -> None:
    assert paired(
        ["labels/train/1.txt", "labels/val/1.txt"], ["images/val/1.png", "images/train/1.png", "other/1.png"]
    ) == {"labels/train/1.txt": ["images/train/1.png"], "labels/val/1.txt": ["images/val/1.png"]}


def test_folders_of_another_depth_are_matched_by_what_they_share() -> None:
    assert paired(["out/set1/labels/1.txt", "out/set2/labels/1.txt"], ["in/set1/1.png", "in/set2/1.png"]) == {
        "out/set1/labels/1.txt": ["in/set1/1.png"],
        "out/set2/labels/1.txt": ["in/set2/1.png"],
    }


def test_nothing_is_guessed_where_nothing_tells() -> None:
    assert paired(["x/1.txt"], ["a/1.png", "b/1.png"]) == {"x/1.txt": []}


def test_a_hundred_thousand_labels_of_one_stem_do_not_take_for_ever() -> None:
    labels = [f"labels/{n}/frame.txt" for n in range(50_000)]
    images = [f"images/{n}/frame.png" for n in range(50_000)]
    started = time.monotonic()
    pairs = pair_by_stem(labels, ImagePaths(images))
    assert pairs["labels/777/frame.txt"] == ["images/777/frame.png"]
    unrelated = pair_by_stem([f"l{n}/frame.txt" for n in range(50_000)], ImagePaths(images))
    assert not any(unrelated.values())
    assert time.monotonic() - started < 20


def test_a_reference_is_found_by_its_folders_where_names_repeat() -> None:
    images = ImagePaths(["data/left/1.png", "data/right/1.png", "2.png"])
    assert images.named("right/1.png", "labels.json") == ["data/right/1.png"]
    assert images.named("D:\\camera\\left\\1.png", "labels.json") == ["data/left/1.png"]
    assert images.named("1.png", "data/left/labels.json") == ["data/left/1.png"]
    assert len(images.named("1.png", "labels.json")) == 2
    assert images.named("2", "labels.json") == ["2.png"]
    assert images.named("3.png", "labels.json") == []
    assert images.named("../", "labels.json") == ()


@given(PATHS, PATHS)
def test_an_image_never_gets_labels_of_two_files(labels: list[str], images: list[str]) -> None:
    found = paired([f"{path}.txt" for path in labels], [f"{path}.png" for path in images])
    taken = [image for each in found.values() for image in each]
    assert len(taken) == len(set(taken))
    assert all(
        image.rsplit("/", 1)[-1][0] == label.rsplit("/", 1)[-1][0]
        for label, each in found.items()
        for image in each
    )
