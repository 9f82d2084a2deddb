import { expect, test } from "vitest";
import type { Job } from "@/jobs/jobService";
import { newDraft, withTask } from "@/newJob/draft";
import { draftFrom } from "@/newJob/draftFrom";
import { jobRequest } from "@/newJob/jobRequest";
import { firstOpenStep, problemsOf } from "@/newJob/stepProblems";

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

test("a job is trained again with all that it had", () => {
  const config = {
    project_ids: ["a"],
    classes: ["RBC"],
    base_model_id: "b",
    gpus: 2,
    seed: 7,
    settings: { mosaic: 0.5 },
    model: "yolov8n",
    backgrounds: false,
  };
  const job = { name: "Cells", description: "", taskType: "detect", config } as unknown as Job;
  const again = jobRequest(draftFrom(job)).config;
  expect(again).toMatchObject({ base_model_id: "b", gpus: 2, seed: 7, settings: { mosaic: 0.5 } });
  // Its base model brings both.
  expect(again).not.toHaveProperty("model");
  expect(again).not.toHaveProperty("pretrained");
  expect(withTask(draftFrom(job), "segment").baseModelId).toBe("");
});

test("what was not chosen is left to the server", () => {
  const request = jobRequest({ ...newDraft(), name: " Cells ", projectIds: ["a"], classes: ["RBC"] });
  expect(request.name).toBe("Cells");
  expect(request.config).not.toHaveProperty("learning_rate");
  expect(request.config).not.toHaveProperty("max_hours");
  expect(request.config.split).toEqual({ train_ratio: 0.8, seed: 42, strategy: "stratified" });
});
