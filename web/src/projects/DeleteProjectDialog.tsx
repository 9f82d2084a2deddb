import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { count } from "@/components/count";
import { notifyDone } from "@/components/notify";
import { PROJECTS } from "@/projects/projectQueries";
import { deleteProject, type Project } from "@/projects/projectService";

interface DeleteProjectDialogProps {
  project: Project;
  opened: boolean;
  onClose: () => void;
}

export function DeleteProjectDialog({ project, opened, onClose }: DeleteProjectDialogProps) {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const deleting = useMutation({
    mutationFn: () => deleteProject(project.id),
    onSuccess: async () => {
      notifyDone(`The project ${project.name} is deleted.`);
      await navigate({ to: "/projects" });
      await queryClient.invalidateQueries({ queryKey: [...PROJECTS, "list"] });
    },
    onSettled: onClose,
  });
  return (
    <ConfirmDialog
      opened={opened}
      title="Delete this project?"
      confirm="Delete"
      busy={deleting.isPending}
      onConfirm={() => {
        deleting.mutate();
      }}
      onClose={onClose}
    >
      {project.name} with {count(project.imageCount, "image")} and{" "}
      {count(project.annotationCount, "annotation")} is deleted for everybody. Models that were trained from
      it stay.
    </ConfirmDialog>
  );
}
