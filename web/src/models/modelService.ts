import { answerOf, api } from "@/api/client";
import type { Model as WireModel } from "@/api/generated/schema";
import { known } from "@/api/known";
import { type Page, pageOf } from "@/api/page";
import { optionalTime } from "@/api/wireTime";
import type { TaskType } from "@/jobs/jobService";

/** A trained model. */
export interface Model {
  id: string;
  name: string;
  taskType: TaskType;
  architecture: string;
  isActive: boolean;
  metrics: Readonly<Record<string, number>>;
  jobId: string;
  createTime: Date | undefined;
}

export async function listModels(pageToken?: string): Promise<Page<Model>> {
  const query = pageToken === undefined ? {} : { page_token: pageToken };
  const answer = await answerOf(api.GET("/api/v1/training/models", { params: { query } }));
  return pageOf(answer.models, answer.next_page_token, readModel);
}

function readModel(wire: WireModel): Model {
  return {
    id: wire.id,
    name: wire.name,
    taskType: known(wire.task_type),
    architecture: wire.architecture,
    isActive: wire.is_active,
    metrics: wire.metrics,
    jobId: wire.job_id,
    createTime: optionalTime(wire.create_time),
  };
}
