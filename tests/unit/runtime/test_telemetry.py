import subprocess
import sys

import orjson

SCRIPT = """
import logging
import structlog
from annotateforge.runtime.telemetry import bind, configure_logging
configure_logging("dataset", {format!r}, {level!r})
log = structlog.get_logger()
with bind(job_id=7):
    log.info("bound", number=1)
log.debug("quiet")
logging.getLogger("some.library").warning("from %s", "a library", extra={{"request": "r"}})
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def lines(log_format: str, level: str = "info") -> list[str]:
    script = SCRIPT.format(format=log_format, level=level)
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout == ""
    return run.stderr.splitlines()


def test_json_lines_carry_what_is_bound_and_those_of_libraries_have_the_same_form() -> None:
    bound, library, failed = map(orjson.loads, lines("json"))
    assert (bound["event"], bound["job_id"], bound["number"], bound["service"]) == (
        "bound",
        "7",
        1,
        "dataset",
    )
    assert bound["time"].endswith("Z")
    assert (library["event"], library["level"], library["request"]) == ("from a library", "warning", "r")
    assert "job_id" not in library
    assert failed["level"] == "error"
    assert "ZeroDivisionError" in failed["exception"]


def test_the_level_decides_what_is_written() -> None:
    assert [orjson.loads(line)["event"] for line in lines("json", "debug")][:2] == ["bound", "quiet"]
    assert [orjson.loads(line)["event"] for line in lines("json", "error")] == ["failed"]


def test_console_lines_are_for_people() -> None:
    text = "\n".join(lines("console"))
    assert "bound" in text
    assert "job_id=7" in text
    assert not text.startswith("{")
