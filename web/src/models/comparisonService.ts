import { answerOf, api } from "@/api/client";
import type { ComparedRow } from "@/models/comparison";
import { type Model, readModel } from "@/models/modelService";

/** What was measured after an epoch. */
export interface CurvePoint {
  epoch: number;
  trainLoss: number | undefined;
  valLoss: number | undefined;
  metrics: Readonly<Record<string, number>>;
}

/** Models of one task side by side. */
export interface ModelComparison {
  models: Model[];
  /** The settings in which they differ, under the API's names. */
  settings: ComparedRow[];
  /** Their trainings, epoch by epoch; empty for a model that came without. */
  curves: CurvePoint[][];
  /** Whether all were measured on the same images. */
  sameDataset: boolean;
}

export async function compareModels(modelIds: string[]): Promise<ModelComparison> {
  const query = { model_ids: modelIds };
  const found = await answerOf(api.GET("/api/v1/training/models:compare", { params: { query } }));
  return {
    models: found.models.flatMap(({ model }) => (model === undefined ? [] : [readModel(model)])),
    settings: found.settings.map((name) => ({
      name,
      values: found.models.map(({ settings }) => settings[name]),
    })),
    curves: found.models.map(({ curve }) =>
      curve.map(({ epoch, train_loss: trainLoss, val_loss: valLoss, metrics }) => ({
        epoch,
        trainLoss,
        valLoss,
        metrics,
      })),
    ),
    sameDataset: found.same_dataset,
  };
}
