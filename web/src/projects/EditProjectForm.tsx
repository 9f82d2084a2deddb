import { useQueryClient } from "@tanstack/react-query";
import { TextForm } from "@/components/TextForm";
import { PROJECTS } from "@/projects/projectQueries";
import { type Project, updateProject } from "@/projects/projectService";

export function EditProjectForm({ project, onDone }: { project: Project; onDone: () => void }) {
  const queryClient = useQueryClient();
  return (
    <TextForm
      initial={project}
      save={(wanted) => updateProject(project.id, wanted)}
      verb="Save"
      onSaved={async () => {
        await queryClient.invalidateQueries({ queryKey: PROJECTS });
        onDone();
      }}
      onCancel={onDone}
    />
  );
}
