import { Button } from "@mantine/core";
import { IconCopy } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import type { Job } from "@/jobs/jobService";
import { draftFrom } from "@/newJob/draftFrom";
import { useDraft } from "@/newJob/useDraft";

/** Opens the steps to a training with the settings of this one. */
export function UseAgainButton({ job }: { job: Job }) {
  const { set } = useDraft();
  const navigate = useNavigate();
  // A job over a data set that was frozen before names no projects, and the steps begin with projects.
  if ((job.config.project_ids ?? []).length === 0) return null;
  return (
    <Button
      variant="default"
      leftSection={<IconCopy size={18} />}
      onClick={() => {
        set(draftFrom(job));
        void navigate({ to: "/training/new" });
      }}
    >
      Use these settings again
    </Button>
  );
}
