import { Badge } from "@mantine/core";
import type { JobStatus } from "@/jobs/jobService";

const COLORS: Record<JobStatus, string> = {
  pending: "gray",
  preparing: "cyan",
  training: "forge",
  completed: "teal",
  failed: "red",
  cancelled: "gray",
};

/** Where a job stands. */
export function JobStatusBadge({
  status,
  cancelRequested = false,
}: {
  status: JobStatus;
  cancelRequested?: boolean;
}) {
  const stopping = cancelRequested && status !== "cancelled";
  return (
    <Badge color={stopping ? "orange" : COLORS[status]}>
      {stopping ? "Cancelling" : status.charAt(0).toUpperCase() + status.slice(1)}
    </Badge>
  );
}
