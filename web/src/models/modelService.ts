import { answerOf, api } from "@/api/client";
import type { JobConfig, Model as WireModel } from "@/api/generated/schema";
import { known } from "@/api/known";
import { type Page, pageOf } from "@/api/page";
import { optionalTime } from "@/api/wireTime";
import type { TaskType } from "@/jobs/jobService";

/** A trained model. */
export interface Model {
  id: string;
  name: string;
  description: string;
  taskType: TaskType;
  architecture: string;
  /** The position is the class id. */
  classes: string[];
  /** Side in pixels of the images that it was trained on. */
  imageSize: number;
  isActive: boolean;
  metrics: Readonly<Record<string, number>>;
  /** How it was trained, with the API's own names. */
  config: JobConfig | undefined;
  bestEpoch: number;
  epochsTrained: number;
  jobId: string;
  datasetId: string;
  datasetDigest: string;
  weightsBytes: number;
  weightsDigest: string;
  createTime: Date | undefined;
  activateTime: Date | undefined;
}

export interface ModelFilter {
  task?: TaskType;
}

/** What people write about a model. */
export type ModelText = Pick<Model, "name" | "description">;

export async function listModels(filter: ModelFilter, pageToken?: string): Promise<Page<Model>> {
  const query = {
    ...(filter.task && { task_type: filter.task }),
    ...(pageToken !== undefined && { page_token: pageToken }),
  };
  const answer = await answerOf(api.GET("/api/v1/training/models", { params: { query } }));
  return pageOf(answer.models, answer.next_page_token, readModel);
}

/** The active model of a task; undefined when none is. */
export async function getActiveModel(task: TaskType): Promise<Model | undefined> {
  const query = { task_type: task, is_active: true };
  const answer = await answerOf(api.GET("/api/v1/training/models", { params: { query } }));
  return answer.models.map(readModel)[0];
}

export async function getModel(modelId: string): Promise<Model> {
  const path = { model_id: modelId };
  return readModel(await answerOf(api.GET("/api/v1/training/models/{model_id}", { params: { path } })));
}

export async function updateModel(modelId: string, { name, description }: ModelText): Promise<Model> {
  const path = { model_id: modelId };
  const body = { name, description };
  const call = api.PATCH("/api/v1/training/models/{model_id}", { params: { path }, body });
  return readModel(await answerOf(call));
}

/** Makes it the one model that its task is predicted with. */
export async function activateModel(modelId: string): Promise<void> {
  const path = { model_id: modelId };
  await answerOf(api.PATCH("/api/v1/training/models/{model_id}/activate", { params: { path }, body: {} }));
}

export async function deactivateModel(modelId: string): Promise<void> {
  const path = { model_id: modelId };
  await answerOf(api.PATCH("/api/v1/training/models/{model_id}/deactivate", { params: { path }, body: {} }));
}

export async function deleteModel(modelId: string): Promise<void> {
  const path = { model_id: modelId };
  await answerOf(api.DELETE("/api/v1/training/models/{model_id}", { params: { path } }));
}

/** Address of a model's weights, best.pt. */
export function weightsAddress(modelId: string): string {
  return `/api/v1/training/models/${modelId}/weights`;
}

export function readModel(wire: WireModel): Model {
  return {
    id: wire.id,
    name: wire.name,
    description: wire.description,
    taskType: known(wire.task_type),
    architecture: wire.architecture,
    classes: wire.classes,
    imageSize: wire.image_size,
    isActive: wire.is_active,
    metrics: wire.metrics,
    config: wire.config,
    bestEpoch: wire.best_epoch,
    epochsTrained: wire.epochs_trained,
    jobId: wire.job_id,
    datasetId: wire.dataset_id,
    datasetDigest: wire.dataset_digest,
    weightsBytes: wire.weights_size_bytes,
    weightsDigest: wire.weights_sha256,
    createTime: optionalTime(wire.create_time),
    activateTime: optionalTime(wire.activate_time),
  };
}
