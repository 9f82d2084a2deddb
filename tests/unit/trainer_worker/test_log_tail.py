import io

from hypothesis import given
from hypothesis import strategies as st

from annotateforge.trainer.worker.log_tail import LINES, LONGEST_LINE, LogTail


def tail_of(*pieces: bytes) -> tuple[list[str], str]:
    file = io.BytesIO()
    tail = LogTail(file)
    for piece in pieces:
        tail.feed(piece)
    tail.close()
    return tail.lines(), file.getvalue().decode()


def test_only_the_last_lines_are_kept_and_all_go_to_the_file() -> None:
    lines, file = tail_of(b"".join(b"line %d\n" % number for number in range(500)))
    assert lines == [f"line {number}" for number in range(500 - LINES, 500)]
    assert len(file.splitlines()) == 500


def test_of_a_progress_bar_the_last_state_is_kept() -> None:
    assert tail_of(b"\r\x1b[K 1/3 10%\r\x1b[K 2/3 60%\r\x1b[K 3/3 100%\r\n")[0] == [" 3/3 100%"]


def test_colours_are_left_out_and_strange_bytes_do_no_harm() -> None:
    assert tail_of(b"\x1b[34m\x1b[1moptimizer:\x1b[0m SGD \xff\n")[0] == ["optimizer: SGD �"]


def test_a_line_without_an_end_is_cut_and_does_not_grow_for_ever() -> None:
    lines, _ = tail_of(*[b"x" * 100_000] * 20)
    assert lines == ["x" * LONGEST_LINE]


@given(st.lists(st.text("ab\n\r ", max_size=8)))
def test_lines_are_the_same_however_output_is_cut(pieces: list[str]) -> None:
    data = [piece.encode() for piece in pieces]
    assert tail_of(*data)[0] == tail_of(b"".join(data))[0]
