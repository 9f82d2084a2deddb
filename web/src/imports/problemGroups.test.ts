import { expect, test } from "vitest";
import type { ImportProblem, ImportReport } from "@/imports/importService";
import { placeOf, problemGroups, reasonText } from "@/imports/problemGroups";

function problem(part: Partial<ImportProblem>): ImportProblem {
  return {
    severity: "warning",
    reason: "ODD",
    file: "a.txt",
    line: 0,
    path: "",
    message: "",
    hint: "",
    ...part,
  };
}

test("problems are grouped by their reason, in the order of the report", () => {
  const report = {
    problems: [
      problem({ reason: "BOX_OUTSIDE", hint: "Look." }),
      problem({}),
      problem({ reason: "BOX_OUTSIDE" }),
    ],
    problem_counts: [
      { severity: "warning", reason: "BOX_OUTSIDE", count: 40 },
      { severity: "warning", reason: "ODD", count: 1 },
    ],
  } as ImportReport;
  const groups = problemGroups(report);
  expect(groups.map(({ reason, count, problems }) => [reason, count, problems.length])).toEqual([
    ["BOX_OUTSIDE", 40, 2],
    ["ODD", 1, 1],
  ]);
  expect(groups[0]?.hint).toBe("Look.");
});

test.each([
  [{ line: 3 }, "a.txt, line 3"],
  [{ path: "images[4]" }, "a.txt, images[4]"],
  [{ file: "" }, "the whole archive"],
])("the place of a problem is said", (part, place) => {
  expect(placeOf(problem(part))).toBe(place);
});

test("a reason is read as a sentence", () => {
  expect(reasonText("IMAGE_NOT_FOUND")).toBe("Image not found");
});
