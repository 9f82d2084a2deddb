import { Alert, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconInfoCircle, IconRefreshAlert } from "@tabler/icons-react";
import { RelativeTime } from "@/components/RelativeTime";
import type { JobHistory } from "@/jobs/jobHistory";
import type { Job } from "@/jobs/jobService";
import { LogLines } from "@/jobs/monitor/LogPanel";

/** What one should know about a job: why it failed, what it warns of, why it had to begin again. */
export function JobNotices({ job, history }: { job: Job; history: JobHistory }) {
  const cancelled = job.status === "cancelled";
  return (
    <>
      {job.failure && (
        <Alert
          color={cancelled ? "gray" : "red"}
          icon={<IconAlertTriangle aria-hidden />}
          title={cancelled ? "The training was cancelled" : "The training failed"}
          role="alert"
        >
          <Stack gap="xs">
            <Text size="sm">
              {job.failure.message}{" "}
              <Text span size="xs" ff="monospace">
                {job.failure.reason}
              </Text>
            </Text>
            {job.failure.hint && (
              <Text size="sm" fw={600}>
                {job.failure.hint}
              </Text>
            )}
            <details>
              <summary>The last lines that it printed</summary>
              <LogLines lines={job.failure.log_tail} />
            </details>
          </Stack>
        </Alert>
      )}
      {history.warnings.map((warning, index) => (
        <Alert key={index} color="yellow" icon={<IconInfoCircle aria-hidden />}>
          {warning.afterEpoch > 0 && <b>After epoch {warning.afterEpoch}: </b>}
          {warning.message} {warning.hint}
        </Alert>
      ))}
      {history.retries.map((retry, index) => (
        <Alert key={index} color="gray" icon={<IconRefreshAlert aria-hidden />}>
          {retry.message} It went on{" "}
          {retry.resumeEpoch === 0 ? "from the beginning" : `after epoch ${retry.resumeEpoch}`},{" "}
          <RelativeTime time={retry.time} />. {retry.hint}
        </Alert>
      ))}
    </>
  );
}
