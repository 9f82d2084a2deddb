import { expect, test } from "vitest";
import { suggestedClasses } from "@/newJob/suggestions";
import type { ClassStatistics, ProjectStatistics } from "@/statistics/statisticsService";

function project(...classes: Partial<ClassStatistics>[]): ProjectStatistics {
  const none = {
    imageCount: 0,
    classifiedImageCount: 0,
    circleCount: 0,
    boxCount: 0,
    rectangleCount: 0,
    polygonCount: 0,
    meanWidth: 0,
    meanHeight: 0,
    shortestSide: 0,
    longestSide: 0,
  };
  return {
    imageCount: 0,
    annotatedImageCount: 0,
    classifiedImageCount: 0,
    annotationCount: 0,
    reviewedImageCount: 0,
    sizeBytes: 0,
    classes: classes.map((part) => ({ label: "", ...none, ...part })),
    boxSizes: [],
    boxAreas: [],
    imageSizes: [],
  };
}

const PROJECTS = [
  project({ label: "cell", boxCount: 3, polygonCount: 1 }, { label: "", boxCount: 9 }),
  project({ label: "cell", circleCount: 2 }, { label: "good", classifiedImageCount: 4 }),
];

test("classes of several projects are added up, and what has no class is left out", () => {
  expect(suggestedClasses(PROJECTS, "detect")).toEqual([{ label: "cell", count: 6 }]);
});

test("each task sees what it can learn from", () => {
  expect(suggestedClasses(PROJECTS, "segment")).toEqual([{ label: "cell", count: 1 }]);
  expect(suggestedClasses(PROJECTS, "classify")).toEqual([{ label: "good", count: 4 }]);
});
