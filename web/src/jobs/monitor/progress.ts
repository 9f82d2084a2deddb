import type { JobHistory } from "@/jobs/jobHistory";
import type { Job } from "@/jobs/jobService";

/** How much of the training is done, 0 to 100, with the part of the epoch that is running. */
export function overallPercent(job: Job, { epochs, stage }: JobHistory): number {
  if (job.status === "completed") return 100;
  const done = epochs.at(-1)?.epoch ?? job.currentEpoch;
  const running = stage?.stage === "training" && stage.epoch === done + 1 && stage.total > 0;
  const part = running ? stage.done / stage.total : 0;
  return job.totalEpochs > 0 ? Math.min(100, ((done + part) / job.totalEpochs) * 100) : 0;
}

/** Seconds from the first attempt's start to the end, or until now; undefined before the start. */
export function elapsedSeconds(job: Job, now: number): number | undefined {
  if (job.startTime === undefined) return undefined;
  return Math.max(0, ((job.endTime?.getTime() ?? now) - job.startTime.getTime()) / 1000);
}
