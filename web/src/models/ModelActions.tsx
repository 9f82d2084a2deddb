import { ActionIcon, Button, Menu, Modal } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconDots, IconDownload, IconPencil, IconTrash } from "@tabler/icons-react";
import { ActivationButton } from "@/models/ActivationButton";
import { DeleteModelDialog } from "@/models/DeleteModelDialog";
import { EditModelForm } from "@/models/EditModelForm";
import { type Model, weightsAddress } from "@/models/modelService";
import { RequireRole } from "@/session/RequireRole";

/** What can be done with a model. */
export function ModelActions({ model }: { model: Model }) {
  const [editing, { open: edit, close: endEditing }] = useDisclosure();
  const [deleting, { open: askToDelete, close: endDeleting }] = useDisclosure();
  return (
    <>
      <Button
        variant="default"
        leftSection={<IconDownload size={18} />}
        component="a"
        href={weightsAddress(model.id)}
        download
      >
        Weights
      </Button>
      <RequireRole role="editor">
        <ActivationButton model={model} />
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon variant="default" size="lg" aria-label="More about this model">
              <IconDots size={18} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item leftSection={<IconPencil size={16} />} onClick={edit}>
              Name and description
            </Menu.Item>
            <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={askToDelete}>
              Delete
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
        <Modal opened={editing} onClose={endEditing} title="Name and description">
          <EditModelForm model={model} onDone={endEditing} />
        </Modal>
        <DeleteModelDialog model={model} opened={deleting} onClose={endDeleting} />
      </RequireRole>
    </>
  );
}
