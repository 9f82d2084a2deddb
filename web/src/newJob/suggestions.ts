import type { TaskType } from "@/jobs/jobService";
import { instanceCount } from "@/statistics/instanceCount";
import type { ProjectStatistics } from "@/statistics/statisticsService";

/** A class that projects hold, and how much there is to learn it from. */
export interface Suggestion {
  label: string;
  /** Annotations that carry it; for classification images. */
  count: number;
}

/** The classes of projects that a task can learn, the most frequent first. */
export function suggestedClasses(statistics: readonly ProjectStatistics[], task: TaskType): Suggestion[] {
  const counts = new Map<string, number>();
  for (const entry of statistics.flatMap(({ classes }) => classes)) {
    const more = usable(entry, task);
    if (entry.label !== "" && more > 0) counts.set(entry.label, (counts.get(entry.label) ?? 0) + more);
  }
  return [...counts]
    .map(([label, count]) => ({ label, count }))
    .sort((a, b) => b.count - a.count || a.label.localeCompare(b.label));
}

function usable(entry: ProjectStatistics["classes"][number], task: TaskType): number {
  switch (task) {
    case "classify":
      return entry.classifiedImageCount;
    case "segment":
      return entry.polygonCount;
    case "detect":
      return instanceCount(entry);
  }
}
