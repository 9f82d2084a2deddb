import type { Epoch, Evaluation, JobEvent, JobWarning } from "@/jobs/jobEvents";
import type { JobStatus } from "@/jobs/jobService";

/** Where a running epoch is. */
export interface StageProgress {
  stage: string;
  epoch: number;
  done: number;
  total: number;
}

/** An attempt that ended without a result. */
export interface JobRetry {
  time: Date | undefined;
  message: string;
  /** What to do about it. */
  hint: string;
  resumeEpoch: number;
}

/** A warning, which tells of what was so when it was made. */
export interface DatedWarning extends JobWarning {
  /** 0 before the first. */
  afterEpoch: number;
}

/** What a job's events add up to. */
export interface JobHistory {
  status: JobStatus | undefined;
  /** By ascending number, each once: what was measured last. */
  epochs: readonly Epoch[];
  stage: StageProgress | undefined;
  /** The epoch after which the training goes on; 0 before the first. */
  lastEpoch: number;
  warnings: readonly DatedWarning[];
  retries: readonly JobRetry[];
  evaluation: Evaluation | undefined;
}

export const NO_HISTORY: JobHistory = {
  status: undefined,
  epochs: [],
  stage: undefined,
  lastEpoch: 0,
  warnings: [],
  retries: [],
  evaluation: undefined,
};

/** The history after further events, in their order. */
export function extended(history: JobHistory, events: readonly JobEvent[]): JobHistory {
  const measured: Epoch[] = [];
  const warnings = [...history.warnings];
  const retries = [...history.retries];
  let { status, stage, lastEpoch, evaluation } = history;
  for (const event of events) {
    switch (event.kind) {
      case "status":
        status = event.status;
        stage = undefined;
        break;
      case "progress":
        stage = { stage: event.stage, epoch: event.epoch, done: event.done, total: event.total };
        break;
      case "epoch":
        measured.push(event.epoch);
        lastEpoch = event.epoch.epoch;
        stage = undefined;
        break;
      case "warning":
        warnings.push({ ...event.warning, afterEpoch: lastEpoch });
        break;
      case "retry":
        retries.push({
          time: event.time,
          message: event.message,
          hint: event.hint,
          resumeEpoch: event.resumeEpoch,
        });
        lastEpoch = event.resumeEpoch;
        stage = undefined;
        break;
      case "completed":
        evaluation = event.evaluation;
        break;
      default:
    }
  }
  const epochs = merged(history.epochs, measured);
  return { status, epochs, stage, lastEpoch, warnings, retries, evaluation };
}

/** The same array where nothing was measured, so that what shows it need not be drawn again. */
function merged(epochs: readonly Epoch[], measured: readonly Epoch[]): readonly Epoch[] {
  if (measured.length === 0) return epochs;
  const byNumber = new Map([...epochs, ...measured].map((epoch) => [epoch.epoch, epoch]));
  return [...byNumber.values()].sort((first, second) => first.epoch - second.epoch);
}

/** The best epoch so far: the last that nothing before was better than. */
export function bestEpoch(history: JobHistory): number | undefined {
  return history.evaluation?.bestEpoch ?? history.epochs.findLast(({ best }) => best)?.epoch;
}
