import type { JobConfig } from "@/api/generated/schema";
import type { ShapeType } from "@/images/shape";
import type { Job } from "@/jobs/jobService";
import { DEFAULT_IMAGE_SIZE, type Draft, newDraft, type SettingValue } from "@/newJob/draft";

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
    baseModelId: config.base_model_id ?? "",
    settings: settingsOf(config),
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

/** All settings of a job, with those that are the defaults. */
export function settingsOf(config: JobConfig): Record<string, SettingValue> {
  const { seed, loader_workers, gpus, min_gpu_memory, settings } = config;
  const every: Record<string, SettingValue | undefined> = {
    seed,
    loader_workers,
    gpus,
    min_gpu_memory,
    ...settings,
  };
  return Object.fromEntries(
    Object.entries(every).filter((entry): entry is [string, SettingValue] => entry[1] !== undefined),
  );
}

function chosen<Value extends string>(value: Value | "unspecified" | undefined): Value | undefined {
  return value === "unspecified" ? undefined : value;
}
