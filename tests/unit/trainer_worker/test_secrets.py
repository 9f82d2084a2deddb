import pytest

from annotateforge.trainer.worker.secrets import hiding, is_secret

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer ***"),
        (f"token {JWT} was sent", "token *** was sent"),
        ("postgresql://me:pass@db/x", "postgresql://***@db/x"),
        ("GET https://s3/x?X-Amz-Signature=0123abcd&a=1", "GET https://s3/x?X-Amz-Signature=***&a=1"),
        ("api_key='0123456789'", "api_key='***'"),
        ("ghp_0123456789abcdefABCD", "***"),
        ("key AKIAIOSFODNN7EXAMPLE", "key ***"),
        ("the value is correct horse", "the value is ***"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(line: str, shown: str) -> None:
    assert hiding({"MY_PASSWORD": "correct horse"})(line) == shown


@pytest.mark.parametrize(
    "line",
    [
        "      1/100         0G      1.234      2.345      1.111         45        640: 100% 12/12",
        "engine/trainer: batch=16, lr0=0.01, keypoints=False, mask_ratio=4, tracker=botsort.yaml",
        "optimizer: AdamW(lr=0.002, momentum=0.9) with parameter groups 57 weight(decay=0.0)",
        "http://127.0.0.1:8000/path",
    ],
)
def test_what_trainings_print_stays_as_it_is(line: str) -> None:
    assert hiding({"PATH": "/usr/bin", "A_TOKEN": "short"})(line) == line


def test_variables_are_secret_by_their_names() -> None:
    assert all(map(is_secret, ["HF_TOKEN", "DB_PASSWORD", "OPENAI_API_KEY", "client_secret"]))
    assert not any(map(is_secret, ["PATH", "TOKENIZERS_PARALLELISM", "KEYBOARD", "XDG_SESSION_ID"]))
