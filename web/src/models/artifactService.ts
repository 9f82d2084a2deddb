import { answerOf, api } from "@/api/client";

/** A file that came out of a training. */
export interface Artifact {
  name: string;
  contentType: string;
  sizeBytes: number;
  /** Where it is read. */
  url: string;
}

export async function listArtifacts(modelId: string): Promise<Artifact[]> {
  const params = { path: { model_id: modelId } };
  const answer = await answerOf(api.GET("/api/v1/training/models/{model_id}/artifacts", { params }));
  return answer.artifacts.map((wire) => ({
    name: wire.name,
    contentType: wire.content_type,
    sizeBytes: wire.size_bytes,
    url: `/api/v1/training/models/${encodeURIComponent(modelId)}/artifacts/${encodeURIComponent(wire.name)}`,
  }));
}
