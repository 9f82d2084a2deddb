import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { notifyDone } from "@/components/notify";
import { MODELS } from "@/models/modelQueries";
import { deleteModel, type Model } from "@/models/modelService";

interface DeleteModelDialogProps {
  model: Model;
  opened: boolean;
  onClose: () => void;
}

export function DeleteModelDialog({ model, opened, onClose }: DeleteModelDialogProps) {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const deleting = useMutation({
    mutationFn: () => deleteModel(model.id),
    onSuccess: async () => {
      notifyDone(`The model ${model.name} is deleted.`);
      await navigate({ to: "/models" });
      await queryClient.invalidateQueries({ queryKey: [...MODELS, "list"] });
    },
    onSettled: onClose,
  });
  return (
    <ConfirmDialog
      opened={opened}
      title="Delete this model?"
      confirm="Delete"
      busy={deleting.isPending}
      onConfirm={() => {
        deleting.mutate();
      }}
      onClose={onClose}
    >
      {model.name} is deleted with its weights and files. Its training stays.
    </ConfirmDialog>
  );
}
