"""What an import found out about single files, collected for the person who started it."""

import threading
from collections import Counter

from annotateforge.dataset.annotations import LONGEST_LABEL
from annotateforge.dataset.problems import Problem, ProblemCount, Severity
from annotateforge.runtime.texts import plain_line, text_defect

MOST_PROBLEMS = 1000
_LISTED_OF_EACH = 20
"""Problems of every reason that are listed, however many there are of others."""
_LONGEST_PATH = 1000
_BY_WEIGHT = (Severity.ERROR, Severity.WARNING, Severity.INFO)


class Report:
    """Collects problems, of which it lists a thousand and counts all, and the class labels in their order.

    Several threads may add to it.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._listed: Counter[str] = Counter()
        self._found: Counter[tuple[Severity, str]] = Counter()
        self._classes: dict[str, None] = {}
        self._lock = threading.Lock()

    @property
    def classes(self) -> list[str]:
        """Class labels in the order in which they were named."""
        return list(self._classes)

    @property
    def omitted(self) -> int:
        """Problems that are counted, but not listed."""
        return self._found.total() - len(self.problems)

    @property
    def counts(self) -> list[ProblemCount]:
        """All problems by reason, the worst and most frequent first."""
        found = [ProblemCount(severity, reason, count) for (severity, reason), count in self._found.items()]
        return sorted(found, key=lambda each: (_BY_WEIGHT.index(each.severity), -each.count, each.reason))

    def name_class(self, label: str) -> None:
        """Take note of a class label of the source; what can be none is told where it stands."""
        if label not in self._classes and text_defect(label, LONGEST_LABEL) is None:
            self._classes.setdefault(label)

    def warn(self, reason: str, file: str, message: str, hint: str, line: int = 0, path: str = "") -> None:
        """Something was left out."""
        self._add(Problem(Severity.WARNING, reason, file, line, message, hint, _shown(path)))

    def inform(self, reason: str, file: str, message: str, hint: str, line: int = 0, path: str = "") -> None:
        """Something is worth knowing."""
        self._add(Problem(Severity.INFO, reason, file, line, message, hint, _shown(path)))

    def in_order(self) -> list[Problem]:
        """The problems by file and line."""
        return sorted(self.problems, key=lambda problem: (problem.file, problem.line))

    def _add(self, problem: Problem) -> None:
        with self._lock:
            self._found[problem.severity, problem.reason] += 1
            if len(self.problems) >= MOST_PROBLEMS:
                if self._listed[problem.reason] >= _LISTED_OF_EACH:
                    return
                self._drop_one_of_the_most_frequent()
            self._listed[problem.reason] += 1
            self.problems.append(problem)

    def _drop_one_of_the_most_frequent(self) -> None:
        ((reason, _),) = self._listed.most_common(1)
        self._listed[reason] -= 1
        last = max(at for at, problem in enumerate(self.problems) if problem.reason == reason)
        del self.problems[last]


def _shown(path: str) -> str:
    """A path of names that somebody else chose."""
    return plain_line(path, _LONGEST_PATH) if path else ""
