import type { Draft, DraftConfig } from "@/newJob/draft";

export const STEPS = ["task", "projects", "classes", "configuration", "review"] as const;

export type Step = (typeof STEPS)[number];

export const STEP_LABELS: Record<Step, string> = {
  task: "Task",
  projects: "Projects",
  classes: "Classes",
  configuration: "Configuration",
  review: "Review",
};

/** What is wrong with a field, by its name in the draft. */
export type Problems = Readonly<Partial<Record<string, string>>>;

interface Range {
  least: number;
  most: number;
  whole?: boolean;
  /** May be left empty. */
  optional?: boolean;
  /** The least value itself is not allowed. */
  above?: boolean;
}

/** What the API takes; it checks again. */
export const RANGES = {
  epochs: { least: 1, most: 10_000, whole: true },
  batchSize: { least: 1, most: 4096, whole: true },
  imageSize: { least: 32, most: 4096, whole: true },
  learningRate: { least: 0, most: 1, above: true, optional: true },
  patience: { least: 0, most: 10_000, whole: true },
  priority: { least: -100, most: 100, whole: true },
  maxHours: { least: 0, most: 10_000, above: true, optional: true },
  trainRatio: { least: 0.05, most: 0.95 },
  testRatio: { least: 0, most: 0.9 },
  splitSeed: { least: 0, most: 2 ** 31 - 1, whole: true },
} satisfies Partial<Record<keyof DraftConfig, Range>>;

export type NumberField = keyof typeof RANGES;

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
      return configurationProblems(draft.config);
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

function numberProblem(value: number | undefined, range: Range): string | undefined {
  const { least, most, whole, optional, above } = range;
  if (value === undefined) return optional ? undefined : "Enter a number.";
  if (whole && !Number.isInteger(value)) return "Enter a whole number.";
  if (value > most || value < least || (above && value === least)) {
    return `Choose a number ${above ? "above" : "from"} ${least} ${above ? "and at most" : "to"} ${most}.`;
  }
  return undefined;
}
