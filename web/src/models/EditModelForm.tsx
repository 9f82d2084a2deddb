import { useQueryClient } from "@tanstack/react-query";
import { TextForm } from "@/components/TextForm";
import { MODELS } from "@/models/modelQueries";
import { type Model, updateModel } from "@/models/modelService";

export function EditModelForm({ model, onDone }: { model: Model; onDone: () => void }) {
  const queryClient = useQueryClient();
  return (
    <TextForm
      initial={model}
      save={(wanted) => updateModel(model.id, wanted)}
      verb="Save"
      onSaved={async () => {
        await queryClient.invalidateQueries({ queryKey: MODELS });
        onDone();
      }}
      onCancel={onDone}
    />
  );
}
