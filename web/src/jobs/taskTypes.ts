import type { TaskType } from "@/jobs/jobService";

/** What people call the tasks. */
export const TASK_LABELS: Record<TaskType, string> = {
  detect: "Detection",
  segment: "Segmentation",
  classify: "Classification",
};
