import { answerOf, api } from "@/api/client";
import type {
  Failure,
  Job as WireJob,
  JobConfig,
  JobStatus as WireStatus,
  TaskType as WireTask,
} from "@/api/generated/schema";
import { known } from "@/api/known";
import { type Page, pageOf } from "@/api/page";
import { newRequestId } from "@/api/requestId";
import { optionalTime } from "@/api/wireTime";

export type JobStatus = Exclude<WireStatus, "unspecified">;
export type TaskType = Exclude<WireTask, "unspecified">;

export const JOB_STATUSES: readonly JobStatus[] = [
  "pending",
  "preparing",
  "training",
  "completed",
  "failed",
  "cancelled",
];
export const TASK_TYPES: readonly TaskType[] = ["detect", "segment", "classify"];

/** What a job is trained on. */
export interface JobDataset {
  id: string;
  digest: string;
  classes: string[];
  totalImages: number;
  trainImages: number;
  valImages: number;
}

/** One training, from its creation to its end. */
export interface Job {
  id: string;
  name: string;
  description: string;
  taskType: TaskType;
  status: JobStatus;
  /** How it is trained, with the API's own names: what is sent again to repeat it. */
  config: JobConfig;
  attempt: number;
  currentEpoch: number;
  totalEpochs: number;
  /** 0 to 100. */
  progressPercent: number;
  etaSeconds: number | undefined;
  latestMetrics: Readonly<Record<string, number>>;
  dataset: JobDataset | undefined;
  /** Empty until the job is completed. */
  modelId: string;
  failure: Failure | undefined;
  /** Empty before the first attempt. */
  workerName: string;
  cancelRequested: boolean;
  lastSequence: number;
  queuePosition: number | undefined;
  restartedFromJobId: string;
  createTime: Date | undefined;
  startTime: Date | undefined;
  endTime: Date | undefined;
}

export interface JobFilter {
  status?: JobStatus;
  task?: TaskType;
}

export async function listJobs(filter: JobFilter, pageToken?: string): Promise<Page<Job>> {
  const query = {
    ...(filter.status && { status: filter.status }),
    ...(filter.task && { task_type: filter.task }),
    ...(pageToken !== undefined && { page_token: pageToken }),
  };
  const answer = await answerOf(api.GET("/api/v1/training/jobs", { params: { query } }));
  return pageOf(answer.jobs, answer.next_page_token, readJob);
}

export async function getJob(jobId: string): Promise<Job> {
  const path = { job_id: jobId };
  return readJob(await answerOf(api.GET("/api/v1/training/jobs/{job_id}", { params: { path } })));
}

/** Cancels a job; a running one stops within seconds. */
export async function cancelJob(jobId: string): Promise<Job> {
  const params = { path: { job_id: jobId } };
  return readJob(await answerOf(api.POST("/api/v1/training/jobs/{job_id}:cancel", { params, body: {} })));
}

/** Makes a new job with the settings of another one, over the same data. */
export async function restartJob(jobId: string): Promise<Job> {
  const params = { path: { job_id: jobId } };
  // The same id again answers the same job, should the answer to the first call be lost.
  const body = { request_id: newRequestId() };
  return readJob(await answerOf(api.POST("/api/v1/training/jobs/{job_id}:restart", { params, body })));
}

/** Whether a job has reached a status that it keeps. */
export function hasEnded(status: JobStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

function readJob(wire: WireJob): Job {
  return {
    id: wire.id,
    name: wire.name,
    description: wire.description,
    taskType: known(wire.task_type),
    status: known(wire.status),
    config: wire.config,
    attempt: wire.attempt,
    currentEpoch: wire.current_epoch,
    totalEpochs: wire.total_epochs,
    progressPercent: wire.progress_percent,
    etaSeconds: wire.eta_seconds,
    latestMetrics: wire.latest_metrics,
    dataset: wire.dataset && {
      id: wire.dataset.id,
      digest: wire.dataset.digest,
      classes: wire.dataset.classes,
      totalImages: wire.dataset.total_images,
      trainImages: wire.dataset.train_images,
      valImages: wire.dataset.val_images,
    },
    modelId: wire.model_id,
    failure: wire.failure,
    workerName: wire.worker_name,
    cancelRequested: wire.cancel_requested,
    lastSequence: wire.last_sequence,
    queuePosition: wire.queue_position,
    restartedFromJobId: wire.restarted_from_job_id,
    createTime: optionalTime(wire.create_time),
    startTime: optionalTime(wire.start_time),
    endTime: optionalTime(wire.end_time),
  };
}
