import { answerOf, api } from "@/api/client";
import type {
  ClassMetrics,
  ConfusionMatrix,
  Epoch as WireEpoch,
  Failure,
  JobEvent as WireEvent,
  TrainingComplete,
  WatchMessage,
} from "@/api/generated/schema";
import { known } from "@/api/known";
import { optionalTime } from "@/api/wireTime";
import { hasEnded, type JobStatus } from "@/jobs/jobService";

/** Numbers by name. */
export type Measures = Readonly<Record<string, number>>;

/** What a complete epoch measured. */
export interface Epoch {
  epoch: number;
  totalEpochs: number;
  metrics: Measures;
  trainLoss: number | undefined;
  valLoss: number | undefined;
  learningRate: number;
  seconds: number;
  etaSeconds: number | undefined;
  /** The attempt that measured it. */
  attempt: number;
  /** When it was complete. */
  time: Date | undefined;
  imagesPerSecond: number | undefined;
  /** No epoch before was better. */
  best: boolean;
  classes: ClassResult[];
}

/** What validation found about one class. */
export interface ClassResult {
  id: number;
  label: string;
  images: number;
  instances: number;
  metrics: Measures;
}

/** The final evaluation of the best weights. */
export interface Evaluation {
  metrics: Measures;
  bestEpoch: number;
  epochsTrained: number;
  trainingSeconds: number;
  classes: ClassResult[];
  confusion: ConfusionMatrix | undefined;
}

export interface JobWarning {
  reason: string;
  message: string;
  hint: string;
}

/** What happened to a job, and when. */
export type JobEvent = { sequence: number | undefined; time: Date | undefined } & (
  | { kind: "status"; status: JobStatus }
  | { kind: "progress"; stage: string; epoch: number; done: number; total: number }
  | { kind: "epoch"; epoch: Epoch }
  | { kind: "warning"; warning: JobWarning }
  | { kind: "retry"; reason: string; message: string; hint: string; resumeEpoch: number }
  | { kind: "completed"; evaluation: Evaluation }
  | { kind: "failed"; failure: Failure }
  | { kind: "log" }
  | { kind: "other" }
);

const PAGE_SIZE = 1000;

/** The stored events after a sequence. */
export async function listEvents(jobId: string, after: number): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  let token = "";
  do {
    const query = { after, page_size: PAGE_SIZE, ...(token && { page_token: token }) };
    const params = { path: { job_id: jobId }, query };
    const answer = await answerOf(api.GET("/api/v1/training/jobs/{job_id}/events", { params }));
    events.push(...answer.events.map((event) => readMessage(flat(event))));
    token = answer.next_page_token;
  } while (token !== "");
  return events;
}

/** A WebSocket that sends a job's events; the session's cookie travels by itself. */
export function openEvents(jobId: string, after: number): WebSocket {
  const url = new URL(
    `/api/v1/training/ws/${encodeURIComponent(jobId)}?after=${after}`,
    window.location.href,
  );
  url.protocol = url.protocol.replace("http", "ws");
  return new WebSocket(url);
}

export function parseEvent(text: string): JobEvent {
  return readMessage(JSON.parse(text) as WatchMessage);
}

/** Whether a job has no event after this one. */
export function isLastEvent(event: JobEvent): boolean {
  return event.kind === "status" && hasEnded(event.status);
}

/** A stored event in the form of the WebSocket's messages: the payload's fields beside the envelope's. */
function flat(event: WireEvent): WatchMessage {
  const { sequence, job_id, attempt, time, ...payloads } = event;
  const [[type, payload] = ["unknown", {}]] = Object.entries(payloads);
  return { ...payload, type, sequence, job_id, attempt, time } as WatchMessage;
}

function readMessage(message: WatchMessage): JobEvent {
  const sequence = "sequence" in message ? message.sequence : undefined;
  return { sequence, time: optionalTime(message.time), ...readPayload(message) };
}

function readPayload(message: WatchMessage) {
  switch (message.type) {
    case "status_change":
      return { kind: "status" as const, status: known(message.status) };
    case "progress":
      return { kind: "progress" as const, ...only(message) };
    case "epoch_complete":
      return { kind: "epoch" as const, epoch: readEpoch(message) };
    case "warning":
      return { kind: "warning" as const, warning: message };
    case "retry":
      return {
        kind: "retry" as const,
        reason: message.reason,
        message: message.message,
        hint: message.hint,
        resumeEpoch: message.resume_epoch,
      };
    case "training_complete":
      return { kind: "completed" as const, evaluation: readEvaluation(message) };
    case "training_failed":
      return { kind: "failed" as const, failure: message };
    case "log":
      return { kind: "log" as const };
    default:
      return { kind: "other" as const };
  }
}

function only({ stage, epoch, done, total }: { stage: string; epoch: number; done: number; total: number }) {
  return { stage, epoch, done, total };
}

/** An epoch of a list, or of an event, whose envelope says which attempt measured it and when. */
export function readEpoch(wire: WireEpoch): Epoch {
  return {
    epoch: wire.epoch,
    totalEpochs: wire.total_epochs,
    metrics: wire.metrics,
    trainLoss: wire.train_loss,
    valLoss: wire.val_loss,
    learningRate: wire.learning_rate,
    seconds: wire.epoch_seconds,
    etaSeconds: wire.eta_seconds,
    attempt: wire.attempt,
    time: optionalTime(wire.time),
    imagesPerSecond: wire.images_per_second,
    best: wire.best,
    classes: wire.class_metrics.map(readClass),
  };
}

function readEvaluation(wire: TrainingComplete): Evaluation {
  return {
    metrics: wire.metrics,
    bestEpoch: wire.best_epoch,
    epochsTrained: wire.epochs_trained,
    trainingSeconds: wire.training_seconds,
    classes: wire.class_metrics.map(readClass),
    confusion: wire.confusion_matrix,
  };
}

function readClass(wire: ClassMetrics): ClassResult {
  return {
    id: wire.class_id,
    label: wire.class_label,
    images: wire.images,
    instances: wire.instances,
    metrics: wire.metrics,
  };
}
