import type { CreateJobRequest, DatasetSpec, JobConfig } from "@/api/generated/schema";
import type { Draft } from "@/newJob/draft";
import { changedSettings } from "@/newJob/settingRules";

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
      ...furtherOf(draft),
      // A model to go on from brings its architecture and weights.
      ...(draft.baseModelId === ""
        ? { model: config.model, pretrained: config.pretrained }
        : { base_model_id: draft.baseModelId }),
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

/** What was changed among the further settings, where the API takes it. */
function furtherOf(draft: Draft): Partial<JobConfig> {
  const changed = changedSettings(draft);
  const at = (place: "config" | "settings") =>
    Object.fromEntries(
      changed
        .filter(({ setting }) => setting.place === place)
        .map(({ setting, value }) => [setting.name, value]),
    );
  const settings = at("settings");
  return { ...at("config"), ...(Object.keys(settings).length > 0 && { settings }) };
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
