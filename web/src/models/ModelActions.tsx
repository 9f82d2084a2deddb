import { Button } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { MoreMenu } from "@/components/MoreMenu";
import { ActivationButton } from "@/models/ActivationButton";
import { DeleteModelDialog } from "@/models/DeleteModelDialog";
import { EditModelForm } from "@/models/EditModelForm";
import { type Model, weightsAddress } from "@/models/modelService";
import { RequireRole } from "@/session/RequireRole";

/** What can be done with a model. */
export function ModelActions({ model }: { model: Model }) {
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
        <MoreMenu
          label="More about this model"
          form={(onDone) => <EditModelForm model={model} onDone={onDone} />}
          deletion={(opened, onClose) => (
            <DeleteModelDialog model={model} opened={opened} onClose={onClose} />
          )}
        />
      </RequireRole>
    </>
  );
}
