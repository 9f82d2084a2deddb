import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { notifyDone } from "@/components/notify";
import { TextForm } from "@/components/TextForm";
import { PROJECTS } from "@/projects/projectQueries";
import { createProject } from "@/projects/projectService";

export function CreateProjectForm({ onDone }: { onDone: () => void }) {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  return (
    <TextForm
      initial={{ name: "", description: "" }}
      save={createProject}
      verb="Create"
      onSaved={async (project) => {
        await queryClient.invalidateQueries({ queryKey: PROJECTS });
        notifyDone(`The project ${project.name} is there.`);
        onDone();
        await navigate({ to: "/projects/$projectId", params: { projectId: project.id } });
      }}
      onCancel={onDone}
    />
  );
}
