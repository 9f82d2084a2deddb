import { queryOptions } from "@tanstack/react-query";
import type { DatasetSpec } from "@/api/generated/schema";
import { checkDataset, listArchitectures } from "@/newJob/newJobService";

export const architecturesQuery = queryOptions({
  queryKey: ["architectures"],
  queryFn: listArchitectures,
  // They change with the server's version alone.
  staleTime: Infinity,
});

export function healthQuery(spec: DatasetSpec) {
  return queryOptions({ queryKey: ["health", spec], queryFn: () => checkDataset(spec) });
}
