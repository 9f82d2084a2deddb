import { infiniteList } from "@/api/infiniteList";
import { listModels } from "@/models/modelService";

/** Everything about models in the cache begins with this. */
export const MODELS = ["models"] as const;

export const modelListQuery = infiniteList([...MODELS, "list"], listModels);
