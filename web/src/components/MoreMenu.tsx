import { ActionIcon, Menu, Modal } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconDots, IconPencil, IconTrash } from "@tabler/icons-react";
import type { ReactNode } from "react";

interface MoreMenuProps {
  /** What the button is called, such as "More about this model". */
  label: string;
  /** The form for name and description; it calls `onDone` at its end. */
  form: (onDone: () => void) => ReactNode;
  /** The dialog that asks before the thing is deleted. */
  deletion: (opened: boolean, onClose: () => void) => ReactNode;
  /** Further items between the two. */
  children?: ReactNode;
}

/** What else can be done with a thing that has a name: change its texts, delete it, and more. */
export function MoreMenu({ label, form, deletion, children }: MoreMenuProps) {
  const [editing, { open: edit, close: endEditing }] = useDisclosure();
  const [deleting, { open: askToDelete, close: endDeleting }] = useDisclosure();
  return (
    <>
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size="lg" aria-label={label}>
            <IconDots size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPencil size={16} />} onClick={edit}>
            Name and description
          </Menu.Item>
          {children}
          <Menu.Divider />
          <Menu.Item color="red" leftSection={<IconTrash size={16} />} onClick={askToDelete}>
            Delete
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={editing} onClose={endEditing} title="Name and description">
        {form(endEditing)}
      </Modal>
      {deletion(deleting, endDeleting)}
    </>
  );
}
