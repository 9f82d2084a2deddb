import type { CreateJobRequest, DatasetSpec, JobConfig } from "@/api/generated/schema";
import type { Job } from "@/jobs/jobService";
import { type CarriedConfig, DEFAULT_IMAGE_SIZE, type Draft, newDraft } from "@/newJob/draft";
import type { ShapeType } from "@/images/shape";

/** The data set that a draft asks for. */
export function datasetSpec(draft: Draft): DatasetSpec {
  return { ...dataOf(draft), task_type: draft.taskType, ...imageSizeOf(draft) };
}

/** The job that a draft asks for. */
export function jobRequest(draft: Draft): CreateJobRequest {
  const { config } = draft;
  return {
    name: draft.name.trim(),
    description: draft.description.trim(),
    task_type: draft.taskType,
    request_id: draft.requestId,
    config: {
      ...dataOf(draft),
      ...imageSizeOf(draft),
      ...draft.carried,
      // A model to go on from brings its architecture and weights.
      ...(draft.carried.base_model_id ? {} : { model: config.model, pretrained: config.pretrained }),
      ...(config.epochs !== undefined && { epochs: config.epochs }),
      ...(config.batchSize !== undefined && { batch_size: config.batchSize }),
      ...(config.learningRate !== undefined && { learning_rate: config.learningRate }),
      optimizer: config.optimizer,
      ...(config.patience !== undefined && { patience: config.patience }),
      device: config.device.trim(),
      ...(config.priority !== undefined && { priority: config.priority }),
      ...(config.maxHours !== undefined && { max_hours: config.maxHours }),
    },
  };
}

/** A draft with the settings of a job, to be trained again with changes. */
export function draftFrom(job: Job): Draft {
  const fresh = newDraft();
  const { config } = job;
  return {
    ...fresh,
    name: `${job.name} again`,
    description: job.description,
    taskType: job.taskType,
    projectIds: config.project_ids ?? [],
    classes: config.classes ?? [],
    shapes: (config.annotation_types ?? []).filter((type): type is ShapeType => type !== "unspecified"),
    backgrounds: config.backgrounds ?? false,
    carried: carriedFrom(config),
    config: {
      ...fresh.config,
      model: config.model ?? fresh.config.model,
      epochs: config.epochs ?? fresh.config.epochs,
      batchSize: config.batch_size ?? fresh.config.batchSize,
      imageSize: config.image_size ?? DEFAULT_IMAGE_SIZE[job.taskType],
      learningRate: config.learning_rate,
      optimizer: config.optimizer ?? fresh.config.optimizer,
      patience: config.patience ?? fresh.config.patience,
      pretrained: chosen(config.pretrained) ?? fresh.config.pretrained,
      device: config.device ?? "",
      priority: config.priority ?? 0,
      maxHours: config.max_hours,
      trainRatio: config.split?.train_ratio ?? fresh.config.trainRatio,
      testRatio: config.split?.test_ratio ?? fresh.config.testRatio,
      splitSeed: config.split?.seed ?? fresh.config.splitSeed,
      strategy: chosen(config.split?.strategy) ?? fresh.config.strategy,
    },
  };
}

function carriedFrom(config: JobConfig): CarriedConfig {
  const { base_model_id, seed, loader_workers, settings, gpus, min_gpu_memory } = config;
  return {
    ...(base_model_id && { base_model_id }),
    ...(seed !== undefined && { seed }),
    ...(loader_workers !== undefined && { loader_workers }),
    ...(settings !== undefined && Object.keys(settings).length > 0 && { settings }),
    ...(gpus && { gpus }),
    ...(min_gpu_memory && { min_gpu_memory }),
  };
}

function dataOf(
  draft: Draft,
): Pick<Required<JobConfig>, "project_ids" | "classes" | "annotation_types" | "split" | "backgrounds"> {
  const { config } = draft;
  return {
    project_ids: draft.projectIds,
    classes: draft.classes,
    annotation_types: draft.shapes,
    split: {
      ...(config.trainRatio !== undefined && { train_ratio: config.trainRatio }),
      ...(config.testRatio !== undefined && config.testRatio > 0 && { test_ratio: config.testRatio }),
      ...(config.splitSeed !== undefined && { seed: config.splitSeed }),
      strategy: config.strategy,
    },
    backgrounds: draft.backgrounds,
  };
}

function imageSizeOf({ config }: Draft): { image_size?: number } {
  return config.imageSize === undefined ? {} : { image_size: config.imageSize };
}

function chosen<Value extends string>(value: Value | "unspecified" | undefined): Value | undefined {
  return value === "unspecified" ? undefined : value;
}
