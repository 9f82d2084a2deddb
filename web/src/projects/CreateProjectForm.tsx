import { useNavigate } from "@tanstack/react-router";
import { notifyDone } from "@/components/notify";
import { ProjectForm } from "@/projects/ProjectForm";
import { createProject } from "@/projects/projectService";

export function CreateProjectForm({ onDone }: { onDone: () => void }) {
  const navigate = useNavigate();
  return (
    <ProjectForm
      initial={{ name: "", description: "" }}
      save={createProject}
      verb="Create"
      onSaved={(project) => {
        notifyDone(`The project ${project.name} is there.`);
        onDone();
        void navigate({ to: "/projects/$projectId", params: { projectId: project.id } });
      }}
      onCancel={onDone}
    />
  );
}
