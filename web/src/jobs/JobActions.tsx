import { Button, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconCube, IconPlayerStop, IconRefresh } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { notifyDone } from "@/components/notify";
import { JOBS, jobQuery } from "@/jobs/jobQueries";
import { cancelJob, hasEnded, type Job, restartJob } from "@/jobs/jobService";
import { UseAgainButton } from "@/newJob/UseAgainButton";
import { RequireRole } from "@/session/RequireRole";

/** What can be done with a job now. */
export function JobActions({ job }: { job: Job }) {
  return (
    <>
      <RequireRole role="editor">
        <UseAgainButton job={job} />
        {hasEnded(job.status) ? <RestartButton job={job} /> : <CancelButton job={job} />}
      </RequireRole>
      {job.modelId !== "" && (
        <Button
          leftSection={<IconCube size={18} />}
          renderRoot={(props) => <Link to="/models/$modelId" params={{ modelId: job.modelId }} {...props} />}
        >
          Go to the model
        </Button>
      )}
    </>
  );
}

function CancelButton({ job }: { job: Job }) {
  const [asked, { open, close }] = useDisclosure();
  const queryClient = useQueryClient();
  const cancelling = useMutation({
    mutationFn: () => cancelJob(job.id),
    onSuccess: async (changed) => {
      queryClient.setQueryData(jobQuery(job.id).queryKey, changed);
      await queryClient.invalidateQueries({ queryKey: [...JOBS, "list"] });
      close();
    },
  });
  return (
    <>
      <Button
        variant="default"
        leftSection={<IconPlayerStop size={18} />}
        onClick={open}
        disabled={job.cancelRequested}
      >
        {job.cancelRequested ? "Cancelling" : "Cancel"}
      </Button>
      <ConfirmDialog
        opened={asked}
        title="Cancel this training?"
        confirm="Cancel the training"
        busy={cancelling.isPending}
        onConfirm={() => {
          cancelling.mutate();
        }}
        onClose={close}
      >
        <Text size="sm">
          It stops within seconds, without a model. It can be started again from the beginning.
        </Text>
      </ConfirmDialog>
    </>
  );
}

function RestartButton({ job }: { job: Job }) {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const restarting = useMutation({
    mutationFn: () => restartJob(job.id),
    onSuccess: async (fresh) => {
      await queryClient.invalidateQueries({ queryKey: [...JOBS, "list"] });
      notifyDone("A new job with the same settings is in the queue.");
      await navigate({ to: "/training/jobs/$jobId", params: { jobId: fresh.id } });
    },
  });
  return (
    <Button
      variant="default"
      leftSection={<IconRefresh size={18} />}
      loading={restarting.isPending}
      onClick={() => {
        restarting.mutate();
      }}
    >
      Restart
    </Button>
  );
}
