import { queryOptions } from "@tanstack/react-query";
import { listArtifacts } from "@/models/artifactService";
import { MODELS } from "@/models/modelQueries";

/** The files of a model, which never change. */
export function artifactsQuery(modelId: string) {
  return queryOptions({
    queryKey: [...MODELS, modelId, "artifacts"],
    queryFn: () => listArtifacts(modelId),
    staleTime: Infinity,
  });
}
