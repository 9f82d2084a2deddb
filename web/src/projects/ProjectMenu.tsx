import { ActionIcon, Menu, Modal } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconDots, IconDownload, IconPencil, IconTrash } from "@tabler/icons-react";
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
  const [editing, { open: edit, close: endEditing }] = useDisclosure();
  const [deleting, { open: askToDelete, close: endDeleting }] = useDisclosure();
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size="lg" aria-label="More about this project">
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPencil size={16} />} onClick={edit}>
            Name and description
          </Menu.Item>
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
          <Menu.Divider />
          <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={askToDelete}>
            Delete
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={editing} onClose={endEditing} title="Name and description">
        <EditProjectForm project={project} onDone={endEditing} />
      </Modal>
      <DeleteProjectDialog project={project} opened={deleting} onClose={endDeleting} />
    </>
  );
}
