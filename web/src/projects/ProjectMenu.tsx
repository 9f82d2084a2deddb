import { Menu } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { MoreMenu } from "@/components/MoreMenu";
import { DeleteProjectDialog } from "@/projects/DeleteProjectDialog";
import { EditProjectForm } from "@/projects/EditProjectForm";
import { exportAddress, type Project } from "@/projects/projectService";

const EXPORTS = [
  { format: "yolo", label: "Export as YOLO" },
  { format: "coco", label: "Export as COCO" },
  { format: "voc", label: "Export as Pascal VOC" },
];

/** What else can be done with a project. */
export function ProjectMenu({ project }: { project: Project }) {
  return (
    <MoreMenu
      label="More about this project"
      form={(onDone) => <EditProjectForm project={project} onDone={onDone} />}
      deletion={(opened, onClose) => (
        <DeleteProjectDialog project={project} opened={opened} onClose={onClose} />
      )}
    >
      {project.imageCount > 0 &&
        EXPORTS.map(({ format, label }) => (
          <Menu.Item
            key={format}
            component="a"
            href={exportAddress(project.id, format)}
            download
            leftSection={<IconDownload size={16} />}
          >
            {label}
          </Menu.Item>
        ))}
    </MoreMenu>
  );
}
