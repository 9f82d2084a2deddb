export const STEPS = ["task", "projects", "classes", "configuration", "review"] as const;

export type Step = (typeof STEPS)[number];

export const STEP_LABELS: Record<Step, string> = {
  task: "Task",
  projects: "Projects",
  classes: "Classes",
  configuration: "Configuration",
  review: "Review",
};
