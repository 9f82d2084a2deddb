import { queryOptions } from "@tanstack/react-query";
import { infiniteList } from "@/api/infiniteList";
import { listEpochs } from "@/jobs/epochService";
import { listLogLines, type LogLine } from "@/jobs/jobLogs";
import { getJob, type JobFilter, listJobs } from "@/jobs/jobService";

/** Everything about jobs in the cache begins with this. */
export const JOBS = ["jobs"] as const;

export function jobListQuery(filter: JobFilter) {
  return infiniteList([...JOBS, "list", filter], (token) => listJobs(filter, token));
}

export function jobQuery(jobId: string) {
  return queryOptions({ queryKey: [...JOBS, jobId], queryFn: () => getJob(jobId) });
}

/** The log, which grows: what is in the cache is kept, and what comes after it is asked for. */
export function jobLogQuery(jobId: string) {
  return queryOptions({
    queryKey: [...JOBS, jobId, "log"],
    queryFn: async ({ client, queryKey }): Promise<LogLine[]> => {
      const kept = client.getQueryData<LogLine[]>(queryKey) ?? [];
      const more = await listLogLines(jobId, kept.at(-1)?.number ?? 0);
      return more.length === 0 ? kept : [...kept, ...more];
    },
    staleTime: Infinity,
  });
}

/** The epochs of a job that has ended, which change no more. */
export function jobEpochsQuery(jobId: string) {
  return queryOptions({
    queryKey: [...JOBS, jobId, "epochs"],
    queryFn: () => listEpochs(jobId),
    staleTime: Infinity,
  });
}
