import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { notifyDone } from "@/components/notify";
import { TASK_LABELS } from "@/jobs/taskTypes";
import { activeModelQuery, MODELS } from "@/models/modelQueries";
import { activateModel, deactivateModel, type Model } from "@/models/modelService";

/** Makes a model the active one of its task, or no longer; says first what that changes. */
export function ActivationButton({ model }: { model: Model }) {
  const [opened, { open, close }] = useDisclosure();
  const queryClient = useQueryClient();
  const { data: active } = useQuery({ ...activeModelQuery(model.taskType), enabled: opened });
  const changing = useMutation({
    mutationFn: () => (model.isActive ? deactivateModel(model.id) : activateModel(model.id)),
    onMutate: () => model.isActive,
    onSuccess: async (_answer, _nothing, wasActive) => {
      // First, or the question would change while it closes.
      close();
      notifyDone(`${model.name} is ${wasActive ? "no longer active" : "active"}.`);
      await queryClient.invalidateQueries({ queryKey: MODELS });
    },
    onError: close,
  });
  const task = TASK_LABELS[model.taskType].toLowerCase();
  return (
    <>
      <Button onClick={open} variant={model.isActive ? "default" : "filled"}>
        {model.isActive ? "Deactivate" : "Activate"}
      </Button>
      <ConfirmDialog
        opened={opened}
        title={model.isActive ? "Deactivate this model?" : "Activate this model?"}
        confirm={model.isActive ? "Deactivate" : "Activate"}
        color={model.isActive ? "red" : "forge"}
        busy={changing.isPending}
        onConfirm={() => {
          changing.mutate();
        }}
        onClose={close}
      >
        {model.isActive &&
          `Predictions for ${task} that name no model are refused until one is active again.`}
        {!model.isActive && `Predictions for ${task} that name no model are made with ${model.name}. `}
        {!model.isActive && active && `It replaces ${active.name}.`}
      </ConfirmDialog>
    </>
  );
}
