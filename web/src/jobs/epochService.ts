import { answerOf, api } from "@/api/client";
import { everyItem, pageOf } from "@/api/page";
import { type Epoch, readEpoch } from "@/jobs/jobEvents";

const PAGE_SIZE = 1000;

/** All complete epochs of a job, in their order: what was measured last of each. */
export function listEpochs(jobId: string): Promise<Epoch[]> {
  return everyItem(async (token) => {
    const path = { job_id: jobId };
    const query = { page_size: PAGE_SIZE, ...(token !== undefined && { page_token: token }) };
    const call = api.GET("/api/v1/training/jobs/{job_id}/epochs", { params: { path, query } });
    const answer = await answerOf(call);
    return pageOf(answer.epochs, answer.next_page_token, readEpoch);
  });
}
