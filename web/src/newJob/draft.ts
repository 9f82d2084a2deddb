import { newRequestId } from "@/api/requestId";
import type { ShapeType } from "@/images/shape";
import type { TaskType } from "@/jobs/jobService";

/** How images are dealt out to training and validation; see the API's SplitStrategy. */
export type SplitStrategy = "stratified" | "random" | "grouped";
export type PretrainedUse = "auto" | "required" | "never";

/** Settings of a training that everybody may want. Undefined is the server's default. */
export interface DraftConfig {
  model: string;
  epochs: number | undefined;
  batchSize: number | undefined;
  imageSize: number | undefined;
  learningRate: number | undefined;
  optimizer: string;
  patience: number | undefined;
  pretrained: PretrainedUse;
  device: string;
  priority: number | undefined;
  maxHours: number | undefined;
  trainRatio: number | undefined;
  testRatio: number | undefined;
  splitSeed: number | undefined;
  strategy: SplitStrategy;
}

/** A job that somebody is putting together. */
export interface Draft {
  name: string;
  description: string;
  taskType: TaskType;
  projectIds: string[];
  /** The position is the class id. */
  classes: string[];
  /** Shapes that are used; none for classification. */
  shapes: ShapeType[];
  /** Reviewed images without annotations go in as backgrounds. */
  backgrounds: boolean;
  config: DraftConfig;
  /** A registered model whose weights training goes on from; empty for none. */
  baseModelId: string;
  /** Further settings by the API's name. What is left out has its default. */
  settings: Readonly<Record<string, SettingValue>>;
  /** The server makes one job of it however often it is sent. Another draft has another one. */
  requestId: string;
}

export type SettingValue = number | boolean | string;

/** The shapes that a task may learn from. */
export const SHAPES_OF: Record<TaskType, readonly ShapeType[]> = {
  detect: ["box", "circle", "rectangle", "polygon"],
  segment: ["polygon"],
  classify: [],
};

const DEFAULT_SHAPES: Record<TaskType, ShapeType[]> = {
  detect: ["box", "circle", "rectangle"],
  segment: ["polygon"],
  classify: [],
};

export const DEFAULT_IMAGE_SIZE: Record<TaskType, number> = { detect: 640, segment: 640, classify: 224 };

export function newDraft(): Draft {
  return {
    name: "",
    description: "",
    taskType: "detect",
    projectIds: [],
    classes: [],
    shapes: DEFAULT_SHAPES.detect,
    backgrounds: false,
    config: {
      model: "yolov8n",
      epochs: 100,
      batchSize: 16,
      imageSize: DEFAULT_IMAGE_SIZE.detect,
      learningRate: undefined,
      optimizer: "auto",
      patience: 100,
      pretrained: "auto",
      device: "",
      priority: 0,
      maxHours: undefined,
      trainRatio: 0.8,
      testRatio: 0,
      splitSeed: 42,
      strategy: "stratified",
    },
    baseModelId: "",
    settings: {},
    requestId: newRequestId(),
  };
}

/** The draft for another task: what depends on the task begins anew, the rest stays. */
export function withTask(draft: Draft, taskType: TaskType): Draft {
  if (taskType === draft.taskType) return draft;
  const { imageSize } = draft.config;
  const untouched = imageSize === DEFAULT_IMAGE_SIZE[draft.taskType];
  return {
    ...draft,
    taskType,
    classes: [],
    // A model to go on from belongs to its task. Settings stay; those of other tasks are not sent.
    baseModelId: "",
    shapes: DEFAULT_SHAPES[taskType],
    backgrounds: draft.backgrounds && taskType !== "classify",
    config: { ...draft.config, imageSize: untouched ? DEFAULT_IMAGE_SIZE[taskType] : imageSize },
  };
}
