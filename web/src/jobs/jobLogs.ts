import { answerOf, api } from "@/api/client";

/** A line that the training printed. */
export interface LogLine {
  /** Position in the job's log, from 1; some may be missing. */
  number: number;
  attempt: number;
  text: string;
}

const PAGE_SIZE = 1000;

/** The lines after a number, all that are kept. */
export async function listLogLines(jobId: string, after: number): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  let token = "";
  do {
    const query = { after, page_size: PAGE_SIZE, ...(token && { page_token: token }) };
    const params = { path: { job_id: jobId }, query };
    const answer = await answerOf(api.GET("/api/v1/training/jobs/{job_id}/logs", { params }));
    lines.push(...answer.lines.map(({ number, attempt, text }) => ({ number, attempt, text })));
    token = answer.next_page_token;
  } while (token !== "");
  return lines;
}
