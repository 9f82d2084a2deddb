import { ActionIcon, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { notifyDone } from "@/components/notify";
import { IMAGES } from "@/images/imageQueries";
import { deleteImage, type ImageFilter, type ProjectImage } from "@/images/imageService";
import { PROJECTS } from "@/projects/projectQueries";

export function DeleteImageButton({ image, filter }: { image: ProjectImage; filter: ImageFilter }) {
  const [opened, { open, close }] = useDisclosure();
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const deleting = useMutation({
    mutationFn: () => deleteImage(image.id),
    onSuccess: async () => {
      notifyDone(`${image.filename} is deleted.`);
      await navigate({ to: "/projects/$projectId", params: { projectId: image.projectId }, search: filter });
      await queryClient.invalidateQueries({ queryKey: [...IMAGES, "list"] });
      await queryClient.invalidateQueries({ queryKey: PROJECTS });
    },
    onSettled: close,
  });
  return (
    <>
      <Tooltip label="Delete this image">
        <ActionIcon variant="default" size="lg" onClick={open} aria-label="Delete this image">
          <IconTrash size={18} />
        </ActionIcon>
      </Tooltip>
      <ConfirmDialog
        opened={opened}
        title="Delete this image?"
        confirm="Delete"
        busy={deleting.isPending}
        onConfirm={() => {
          deleting.mutate();
        }}
        onClose={close}
      >
        {image.filename} and its annotations are deleted from the project. Data sets that hold it keep it.
      </ConfirmDialog>
    </>
  );
}
