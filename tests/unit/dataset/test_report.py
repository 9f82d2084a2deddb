"""The report of an import: what is listed when there is too much, and what is counted."""

from collections import Counter

from annotateforge.dataset.imports.report import MOST_PROBLEMS, Report
from annotateforge.dataset.problems import ProblemCount, Severity


def test_a_flood_of_one_problem_hides_no_other() -> None:
    report = Report()
    for number in range(3 * MOST_PROBLEMS):
        report.warn("IMAGE_MISSING", "a.json", "It is not there.", "Add it.", line=number)
    for number in range(30):
        report.inform("IMAGE_EXISTS", f"{number}.png", "It is there.", "Nothing.")
    report.warn("LABEL_MALFORMED", "b.json", "It is no label.", "Mend it.", path="shapes[3]")
    assert len(report.problems) == MOST_PROBLEMS
    listed = Counter(problem.reason for problem in report.problems)
    assert listed == {"IMAGE_MISSING": MOST_PROBLEMS - 21, "IMAGE_EXISTS": 20, "LABEL_MALFORMED": 1}
    assert report.omitted == 3 * MOST_PROBLEMS + 31 - MOST_PROBLEMS
    assert report.counts == [
        ProblemCount(Severity.WARNING, "IMAGE_MISSING", 3 * MOST_PROBLEMS),
        ProblemCount(Severity.WARNING, "LABEL_MALFORMED", 1),
        ProblemCount(Severity.INFO, "IMAGE_EXISTS", 30),
    ]
    # The first of a kind say most about it.
    assert [problem.line for problem in report.in_order() if problem.file == "a.json"][:3] == [0, 1, 2]
