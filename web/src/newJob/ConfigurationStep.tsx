import { Select, SimpleGrid, Stack, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { AdvancedSettings } from "@/newJob/AdvancedSettings";
import { ConfigNumber } from "@/newJob/ConfigNumber";
import { architecturesQuery } from "@/newJob/newJobQueries";
import type { StepProps } from "@/newJob/stepProps";

/** How the model is trained. Every field begins with a default that works; what is wrong is told at once. */
export function ConfigurationStep(props: StepProps) {
  const { kept, problems } = props;
  const { draft, changeConfig } = kept;
  const { config } = draft;
  const architectures = useQuery(architecturesQuery);
  return (
    <Stack>
      <Select
        label="Model"
        description={
          draft.baseModelId === ""
            ? "Larger ones are slower and usually better"
            : "That of the model which training goes on from"
        }
        disabled={draft.baseModelId !== ""}
        data={(architectures.data ?? [{ name: config.model, family: "", size: "" }]).map(
          ({ name, family, size }) => ({
            value: name,
            label: size === "" ? name : `${family} ${size} (${name})`,
          }),
        )}
        value={config.model}
        onChange={(model) => {
          if (model !== null) changeConfig({ model });
        }}
        error={problems.model}
        searchable
        allowDeselect={false}
      />
      <SimpleGrid cols={{ base: 1, sm: 2 }}>
        <ConfigNumber {...props} field="epochs" label="Epochs" description="How often every image is seen" />
        <ConfigNumber
          {...props}
          field="batchSize"
          label="Batch size"
          description="Images at a time; halved by itself when memory runs out"
        />
        <ConfigNumber
          {...props}
          field="imageSize"
          label="Image size"
          description="Side in pixels to which images are scaled, a multiple of 32"
          step={32}
        />
        <ConfigNumber
          {...props}
          field="learningRate"
          label="Initial learning rate"
          description="Left empty: chosen with the optimizer"
          step={0.001}
        />
        <ConfigNumber
          {...props}
          field="trainRatio"
          label="Share for training"
          description="0.8 keeps a fifth of the images for validation"
          step={0.05}
        />
        <ConfigNumber
          {...props}
          field="splitSeed"
          label="Seed of the split"
          description="The same seed gives the same split"
        />
        <TextInput
          label="Device"
          description='Left empty: the worker chooses; "cpu", "0" or "0,1"'
          value={config.device}
          onChange={(event) => {
            changeConfig({ device: event.currentTarget.value });
          }}
        />
      </SimpleGrid>
      <AdvancedSettings {...props} />
    </Stack>
  );
}
