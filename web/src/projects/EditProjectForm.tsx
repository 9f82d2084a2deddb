import { ProjectForm } from "@/projects/ProjectForm";
import { type Project, updateProject } from "@/projects/projectService";

export function EditProjectForm({ project, onDone }: { project: Project; onDone: () => void }) {
  return (
    <ProjectForm
      initial={project}
      save={(wanted) => updateProject(project.id, wanted)}
      verb="Save"
      onSaved={onDone}
      onCancel={onDone}
    />
  );
}
