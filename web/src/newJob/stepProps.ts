import type { Problems } from "@/newJob/stepProblems";
import type { KeptDraft } from "@/newJob/useDraft";

/** What every step gets. */
export interface StepProps {
  kept: KeptDraft;
  /** What is wrong, once somebody has tried to go on, and at once where every field begins with a good value. */
  problems: Problems;
}
