"""What an import found out about single files, collected for the person who started it."""

from annotateforge.dataset.problems import Problem, Severity

MOST_PROBLEMS = 1000


class Report:
    """Collects problems, of which it keeps the first thousand and counts the others, and the class labels in
    their order.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.omitted = 0
        self._classes: dict[str, None] = {}

    @property
    def classes(self) -> list[str]:
        """Class labels in the order in which they were named."""
        return list(self._classes)

    def name_class(self, label: str) -> None:
        """Take note of a class label of the source."""
        self._classes.setdefault(label)

    def warn(self, reason: str, file: str, message: str, hint: str, line: int = 0) -> None:
        """Something was left out."""
        self._add(Problem(Severity.WARNING, reason, file, line, message, hint))

    def inform(self, reason: str, file: str, message: str, hint: str, line: int = 0) -> None:
        """Something is worth knowing."""
        self._add(Problem(Severity.INFO, reason, file, line, message, hint))

    def in_order(self) -> list[Problem]:
        """The problems by file and line."""
        return sorted(self.problems, key=lambda problem: (problem.file, problem.line))

    def _add(self, problem: Problem) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self.omitted += 1
