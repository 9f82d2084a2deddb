import { queryOptions } from "@tanstack/react-query";
import { infiniteList } from "@/api/infiniteList";
import { getJob, type JobFilter, listJobs } from "@/jobs/jobService";

/** Everything about jobs in the cache begins with this. */
export const JOBS = ["jobs"] as const;

export function jobListQuery(filter: JobFilter) {
  return infiniteList([...JOBS, "list", filter], (token) => listJobs(filter, token));
}

export function jobQuery(jobId: string) {
  return queryOptions({ queryKey: [...JOBS, jobId], queryFn: () => getJob(jobId) });
}
