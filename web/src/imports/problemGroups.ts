import type { ImportProblem, ImportReport, ProblemCount } from "@/imports/importService";

/** All problems of one kind. */
export interface ProblemGroup extends ProblemCount {
  /** What to do about them. */
  hint: string;
  /** Those that the report lists; `count` may be more. */
  problems: ImportProblem[];
}

/** The problems of a report by their reason, the worst and most frequent first. */
export function problemGroups(report: ImportReport): ProblemGroup[] {
  return report.problem_counts.map((kind) => {
    const problems = report.problems.filter(
      ({ severity, reason }) => severity === kind.severity && reason === kind.reason,
    );
    return { ...kind, problems, hint: problems[0]?.hint ?? "" };
  });
}

/** "NO_SUCH_IMAGE" as people read it: "No such image". */
export function reasonText(reason: string): string {
  const words = reason.toLowerCase().replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Where in the archive a problem is: "labels/a.txt, line 3", "cells.json, images[4]". */
export function placeOf({ file, line, path }: ImportProblem): string {
  return [file, line > 0 ? `line ${line}` : path].filter(Boolean).join(", ") || "the whole archive";
}
