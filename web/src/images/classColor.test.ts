import { expect, test } from "vitest";
import { classColors } from "@/images/classColor";

const LABELS = ["RBC", "WBC", "Platelets"];

test("each class has a colour of its own, whatever the order", () => {
  const colorOf = classColors(LABELS);
  expect(new Set(LABELS.map(colorOf)).size).toBe(3);
  expect(classColors(LABELS.toReversed())("WBC")).toBe(colorOf("WBC"));
});

test("what has no class is gray", () => {
  expect(classColors(LABELS)("")).toContain("0 0%");
});
