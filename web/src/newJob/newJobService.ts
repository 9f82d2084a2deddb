import { answerOf, api } from "@/api/client";
import type { Architecture, CreateJobRequest, DatasetSpec, HealthReport } from "@/api/generated/schema";

export type { Architecture, HealthReport };

/** What can be trained, the smallest of each family first. */
export async function listArchitectures(): Promise<Architecture[]> {
  const answer = await answerOf(api.GET("/api/v1/training/architectures"));
  return answer.architectures;
}

/** Whether a data set can be trained and what may hurt; writes nothing. */
export async function checkDataset(spec: DatasetSpec): Promise<HealthReport> {
  return await answerOf(api.POST("/api/v1/datasets:check", { body: spec }));
}

/** Makes a job; answers its id. The same request answers the same job. */
export async function createJob(request: CreateJobRequest): Promise<string> {
  const job = await answerOf(api.POST("/api/v1/training/jobs", { body: request }));
  return job.id;
}
