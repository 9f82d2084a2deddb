import type { Job } from "@/jobs/jobService";
import type { Draft } from "@/newJob/draft";

/**
 * Seconds that a training of so many images may take, from the newest one before with the same task and model:
 * images and epochs count in proportion, pixels too. Undefined when nothing like it was trained.
 */
export function estimatedSeconds(
  draft: Draft,
  trainImages: number,
  before: readonly Job[],
): number | undefined {
  const alike = before.find(
    (job) => job.taskType === draft.taskType && job.config.model === draft.config.model && work(job) > 0,
  );
  if (alike?.startTime === undefined || alike.endTime === undefined) return undefined;
  const seconds = (alike.endTime.getTime() - alike.startTime.getTime()) / 1000;
  const pixels = (draft.config.imageSize ?? 640) ** 2;
  return (seconds * trainImages * (draft.config.epochs ?? 100) * pixels) / work(alike);
}

/** Pixels that a training has looked at. */
function work(job: Job): number {
  return (job.dataset?.trainImages ?? 0) * job.currentEpoch * (job.config.image_size ?? 640) ** 2;
}
