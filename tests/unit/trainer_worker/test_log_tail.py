from hypothesis import given
from hypothesis import strategies as st

from annotateforge.trainer.worker.log_tail import LINES, LONGEST_LINE, LogTail
from annotateforge.trainer.worker.secrets import hiding


def tail_of(*pieces: bytes) -> tuple[list[str], list[str]]:
    """The last lines, and all that were handed out."""
    handed: list[str] = []
    tail = LogTail()
    tail.tell(handed.append)
    for piece in pieces:
        tail.feed(piece)
    tail.close()
    return tail.lines(), handed


def test_only_the_last_lines_are_kept_and_all_are_handed_out() -> None:
    lines, handed = tail_of(b"".join(b"line %d\n" % number for number in range(500)))
    assert lines == [f"line {number}" for number in range(500 - LINES, 500)]
    assert handed == [f"line {number}" for number in range(500)]


def test_who_comes_later_gets_the_last_lines_first_and_then_each_that_comes() -> None:
    handed: list[str] = []
    tail = LogTail()
    tail.feed(b"a\nb\n")
    tail.tell(handed.append)
    tail.feed(b"c\n")
    assert handed == ["a", "b", "c"]


def test_of_a_progress_bar_the_last_state_is_kept() -> None:
    assert tail_of(b"\r\x1b[K 1/3 10%\r\x1b[K 2/3 60%\r\x1b[K 3/3 100%\r\n")[0] == [" 3/3 100%"]


def test_colours_are_left_out_and_strange_bytes_do_no_harm() -> None:
    assert tail_of(b"\x1b[34m\x1b[1moptimizer:\x1b[0m SGD \xff\n")[0] == ["optimizer: SGD �"]


def test_nothing_in_a_line_can_move_a_cursor_or_name_a_window() -> None:
    raw = "a\x1b]0;title\x07b\x1b[2J\x1b(Bc\x00\x07\x9b\u202ed\u2028e\tf\n".encode()
    assert tail_of(raw)[0] == ["abcde    f"]


def test_a_line_without_an_end_is_cut_and_does_not_grow_for_ever() -> None:
    lines, _ = tail_of(*[b"x" * 100_000] * 20)
    assert lines == ["x" * (LONGEST_LINE - 1) + "…"]


def test_a_secret_is_hidden_also_where_the_line_is_cut() -> None:
    hide = hiding({"HF_TOKEN": "s3cret-s3cret", "HOME": "/home/somebody"})
    handed: list[str] = []
    tail = LogTail(hide)
    tail.tell(handed.append)
    tail.feed(b"x" * (LONGEST_LINE - 5) + b"s3cret-s3cret\n/home/somebody\n")
    assert "s3c" not in handed[0]
    assert handed[1] == "/home/somebody"


@given(st.lists(st.text("ab\n\r ", max_size=8)))
def test_lines_are_the_same_however_output_is_cut(pieces: list[str]) -> None:
    data = [piece.encode() for piece in pieces]
    assert tail_of(*data)[0] == tail_of(b"".join(data))[0]
