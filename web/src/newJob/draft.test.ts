import { expect, test } from "vitest";
import { newDraft, withTask } from "@/newJob/draft";
import { jobRequest } from "@/newJob/jobRequest";
import { firstOpenStep, problemsOf } from "@/newJob/steps";

test("another task has another image size, unless somebody chose one", () => {
  const draft = newDraft();
  expect(withTask(draft, "classify").config.imageSize).toBe(224);
  const chosen = { ...draft, config: { ...draft.config, imageSize: 320 } };
  expect(withTask(chosen, "classify").config.imageSize).toBe(320);
  expect(withTask(draft, "segment").shapes).toEqual(["polygon"]);
});

test("a draft opens at the first step that something is missing in", () => {
  const draft = newDraft();
  expect(firstOpenStep(draft)).toBe("task");
  expect(firstOpenStep({ ...draft, name: "Cells" })).toBe("projects");
  expect(firstOpenStep({ ...draft, name: "Cells", projectIds: ["a"], classes: ["RBC"] })).toBe("review");
});

test.each([
  [{ epochs: undefined }, "epochs"],
  [{ epochs: 1.5 }, "epochs"],
  [{ imageSize: 100 }, "imageSize"],
  [{ learningRate: 0 }, "learningRate"],
  [{ trainRatio: 0.8, testRatio: 0.2 }, "testRatio"],
  [{ priority: 101 }, "priority"],
])("%o is refused at its field", (change, field) => {
  const draft = newDraft();
  const problems = problemsOf("configuration", { ...draft, config: { ...draft.config, ...change } });
  expect(Object.keys(problems)).toEqual([field]);
});

test("what was not chosen is left to the server", () => {
  const request = jobRequest({ ...newDraft(), name: " Cells ", projectIds: ["a"], classes: ["RBC"] });
  expect(request.name).toBe("Cells");
  expect(request.config).not.toHaveProperty("learning_rate");
  expect(request.config).not.toHaveProperty("max_hours");
  expect(request.config.split).toEqual({ train_ratio: 0.8, seed: 42, strategy: "stratified" });
});
