import { queryOptions } from "@tanstack/react-query";
import { infiniteList } from "@/api/infiniteList";
import type { TaskType } from "@/jobs/jobService";
import { compareModels } from "@/models/comparisonService";
import { getActiveModel, getModel, listModels, type ModelFilter } from "@/models/modelService";

/** Everything about models in the cache begins with this. */
export const MODELS = ["models"] as const;

export function modelListQuery(filter: ModelFilter) {
  return infiniteList([...MODELS, "list", filter], (token) => listModels(filter, token));
}

export function modelQuery(modelId: string) {
  return queryOptions({ queryKey: [...MODELS, modelId], queryFn: () => getModel(modelId) });
}

export function comparisonQuery(modelIds: string[]) {
  return queryOptions({
    queryKey: [...MODELS, "compared", modelIds],
    queryFn: () => compareModels(modelIds),
  });
}

export function activeModelQuery(task: TaskType) {
  return queryOptions({
    queryKey: [...MODELS, "active", task],
    queryFn: async () => (await getActiveModel(task)) ?? null,
  });
}
