import type { Draft, DraftConfig } from "@/newJob/draft";
import { type NumberField, numberProblem, type Range, RANGES } from "@/newJob/ranges";
import { settingProblems } from "@/newJob/settingRules";
import { type Step, STEPS } from "@/newJob/steps";

/** What is wrong with a field, by its name in the draft. */
export type Problems = Readonly<Partial<Record<string, string>>>;

const LONGEST_NAME = 200;

/** What keeps a step from being left. Empty when all is well. */
export function problemsOf(step: Step, draft: Draft): Problems {
  switch (step) {
    case "task":
      return draft.name.trim() === "" ? { name: "Give the job a name." } : tooLong(draft.name);
    case "projects":
      return draft.projectIds.length === 0 ? { projectIds: "Choose at least one project." } : {};
    case "classes":
      return classProblems(draft);
    case "configuration":
      return { ...configurationProblems(draft.config), ...settingProblems(draft) };
    case "review":
      return {};
  }
}

/** The first step that something is wrong with; the last one when nothing is. */
export function firstOpenStep(draft: Draft): Step {
  return STEPS.find((step) => Object.keys(problemsOf(step, draft)).length > 0) ?? "review";
}

function tooLong(name: string): Problems {
  return name.length > LONGEST_NAME ? { name: `A name has at most ${LONGEST_NAME} characters.` } : {};
}

function classProblems({ classes, shapes, taskType }: Draft): Problems {
  return {
    ...(classes.length === 0 && { classes: "Add at least one class." }),
    ...(taskType === "classify" && classes.length === 1 && { classes: "Add another class to tell it from." }),
    ...(taskType !== "classify" && shapes.length === 0 && { shapes: "Choose at least one shape." }),
  };
}

function configurationProblems(config: DraftConfig): Problems {
  const problems: Partial<Record<string, string>> = {};
  for (const [field, range] of Object.entries(RANGES) as [NumberField, Range][]) {
    const problem = numberProblem(config[field], range);
    if (problem !== undefined) problems[field] = problem;
  }
  if (config.imageSize !== undefined && config.imageSize % 32 !== 0) {
    problems.imageSize ??= "Choose a multiple of 32.";
  }
  if ((config.trainRatio ?? 0) + (config.testRatio ?? 0) >= 1) {
    problems.testRatio ??= "Leave some images for validation.";
  }
  if (config.model === "") problems.model = "Choose a model.";
  return problems;
}
