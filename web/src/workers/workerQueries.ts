import { queryOptions } from "@tanstack/react-query";
import { listWorkers } from "@/workers/workerService";

const LIVE_MS = 3000;

/** All workers, asked for again and again while they are shown. */
export const workerListQuery = queryOptions({
  queryKey: ["workers"],
  queryFn: listWorkers,
  refetchInterval: LIVE_MS,
});
