import pytest

from annotateforge.registry.filenames import weights_filename


@pytest.mark.parametrize(
    ("name", "filename"),
    [
        ("Cells", "Cells.pt"),
        ("Blood / cells: 2", "Blood _ cells_ 2.pt"),
        ("../../etc/passwd", "_.._etc_passwd.pt"),
        ("..", "best.pt"),
        ("///", "best.pt"),
        ('a"b\r\nc', "a_b__c.pt"),
        ("赤血球", "赤血球.pt"),
        ("x" * 200, "x" * 150 + ".pt"),
    ],
)
def test_the_weights_are_saved_under_the_models_name(name: str, filename: str) -> None:
    assert weights_filename(name) == filename
