import { expect, test } from "vitest";
import { type Draft, newDraft, withTask } from "@/newJob/draft";
import { jobRequest } from "@/newJob/jobRequest";
import { changedSettings, settingProblems, settingsFor, shutOut } from "@/newJob/settingRules";
import cases from "@/newJob/settingRules.test.json";
import { SETTINGS } from "@/newJob/trainingSettings";

function draftWith(settings: Draft["settings"], optimizer = "auto"): Draft {
  const draft = newDraft();
  return { ...draft, settings, config: { ...draft.config, optimizer } };
}

/** What the trainer says; a test of the trainer compares. */
interface Case {
  task: Draft["taskType"];
  optimizer: string;
  settings: Draft["settings"];
  shutOut: string[];
}

function names(draft: Draft): string[] {
  return changedSettings(draft).map(({ setting }) => setting.name);
}

test("every setting has an explanation that repeats neither its range nor its default", () => {
  expect(SETTINGS.length).toBeGreaterThan(40);
  for (const { description, place, title, group } of SETTINGS) {
    expect(title).not.toBe("");
    expect(group).toBeDefined();
    expect(description).toMatch(/^[A-Z].*\.$/);
    if (place === "settings") expect(description).not.toMatch(/Default|Only detect|[0-9] to [0-9]/);
  }
});

test("each task has its own settings", () => {
  const of = (task: Draft["taskType"]) => settingsFor(withTask(newDraft(), task)).map(({ name }) => name);
  expect(of("classify")).toContain("dropout");
  expect(of("classify")).not.toContain("mosaic");
  expect(of("detect")).not.toContain("overlap_mask");
  expect(of("segment")).toContain("overlap_mask");
});

test("only what was changed and has an effect is sent, each where the API takes it", () => {
  const draft = draftWith({ mosaic: 0.5, hsv_h: 0.015, seed: 7, gpus: 0, momentum: 0.9, dropout: 0.3 });
  expect(names(draft)).toEqual(["seed", "mosaic"]);
  expect(jobRequest(draft).config).toMatchObject({ seed: 7, settings: { mosaic: 0.5 } });
  expect(jobRequest(draftWith({ hsv_h: 0.015 })).config).not.toHaveProperty("settings");
});

test.each([
  [draftWith({ momentum: 0.9 }), "momentum", true],
  [draftWith({ momentum: 0.9 }, "SGD"), "momentum", false],
  [draftWith({ warmup_momentum: 0.5 }, "AdamW"), "warmup_momentum", true],
  [draftWith({ rect: true, mixup: 0.1 }), "mixup", true],
  [withTask(draftWith({ hsv_s: 0.1 }), "classify"), "hsv_s", true],
  [withTask(draftWith({ hsv_s: 0.1, auto_augment: "off" }), "classify"), "hsv_s", false],
])("a setting that others shut out is not sent (case %#)", (draft, name, out) => {
  expect(shutOut(name, draft) !== undefined).toBe(out);
  expect(names(draft).includes(name)).toBe(!out);
});

test("the form shuts out what the trainer says that it would refuse, and nothing else", () => {
  for (const { task, optimizer, settings, shutOut: wanted } of cases as Case[]) {
    const draft = withTask(draftWith(settings, optimizer), task);
    const out = settingsFor(draft)
      .map(({ name }) => name)
      .filter((name) => shutOut(name, draft) !== undefined);
    expect({ task, optimizer, settings, out }).toEqual({ task, optimizer, settings, out: wanted });
  }
});

test.each([
  [{ lrf: 1.1 }, "settings.lrf"],
  [{ fraction: 0 }, "settings.fraction"],
  [{ nbs: 1.5 }, "settings.nbs"],
  [{ degrees: 181 }, "settings.degrees"],
])("%o is refused at its field", (settings, field) => {
  expect(Object.keys(settingProblems(draftWith(settings)))).toEqual([field]);
});

test("what is out of range without having an effect keeps nobody from going on", () => {
  expect(settingProblems(draftWith({ momentum: 2, dropout: 2 }))).toEqual({});
  expect(settingProblems(draftWith({ momentum: 1 }, "SGD"))["settings.momentum"]).toBe(
    "Choose a number above 0, below 1.",
  );
});
