import { Button, Modal } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { CreateProjectForm } from "@/projects/CreateProjectForm";

export function CreateProjectButton() {
  const [opened, { open, close }] = useDisclosure();
  return (
    <>
      <Button leftSection={<IconPlus size={18} />} onClick={open}>
        New project
      </Button>
      <Modal opened={opened} onClose={close} title="New project">
        <CreateProjectForm onDone={close} />
      </Modal>
    </>
  );
}
