import { Accordion, Select, SimpleGrid, Stack, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { ConfigNumber } from "@/newJob/ConfigNumber";
import type { PretrainedUse, SplitStrategy } from "@/newJob/draft";
import { architecturesQuery } from "@/newJob/newJobQueries";
import type { StepProps } from "@/newJob/stepProps";

const OPTIMIZERS = ["auto", "SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSProp"];

const STRATEGIES: { value: SplitStrategy; label: string }[] = [
  { value: "stratified", label: "Stratified: both sides show the classes in the same proportion" },
  { value: "grouped", label: "Grouped: as stratified, and near duplicates stay together" },
  { value: "random", label: "Random" },
];

const PRETRAINED: { value: PretrainedUse; label: string }[] = [
  { value: "auto", label: "Use pretrained weights where the worker has them" },
  { value: "required", label: "Use pretrained weights or fail" },
  { value: "never", label: "Start from random weights" },
];

/** How the model is trained. Every field begins with a default that works. */
export function ConfigurationStep(props: StepProps) {
  const { kept, problems } = props;
  const { draft, changeConfig } = kept;
  const { config } = draft;
  const architectures = useQuery(architecturesQuery);
  return (
    <Stack>
      <Select
        label="Model"
        description="Larger ones are slower and usually better"
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
      <Accordion variant="contained">
        <Accordion.Item value="more">
          <Accordion.Control>More settings</Accordion.Control>
          <Accordion.Panel>
            <SimpleGrid cols={{ base: 1, sm: 2 }}>
              <Select
                label="Split"
                description="How images are dealt out"
                data={STRATEGIES}
                value={config.strategy}
                onChange={(strategy) => {
                  if (strategy !== null) changeConfig({ strategy });
                }}
                allowDeselect={false}
              />
              <ConfigNumber
                {...props}
                field="testRatio"
                label="Share for a test"
                description="Images that neither train nor validate"
                step={0.05}
              />
              <Select
                label="Optimizer"
                description="auto also chooses the learning rate"
                data={OPTIMIZERS}
                value={config.optimizer}
                onChange={(optimizer) => {
                  if (optimizer !== null) changeConfig({ optimizer });
                }}
                allowDeselect={false}
              />
              <Select
                label="Pretrained weights"
                description="They save epochs and images"
                data={PRETRAINED}
                value={config.pretrained}
                onChange={(pretrained) => {
                  if (pretrained !== null) changeConfig({ pretrained });
                }}
                allowDeselect={false}
              />
              <ConfigNumber
                {...props}
                field="patience"
                label="Patience"
                description="Epochs without improvement after which it stops; 0 never stops"
              />
              <ConfigNumber
                {...props}
                field="maxHours"
                label="Time limit in hours"
                description="Left empty: none"
              />
              <ConfigNumber
                {...props}
                field="priority"
                label="Priority"
                description="Among waiting jobs the higher one is next"
              />
            </SimpleGrid>
          </Accordion.Panel>
        </Accordion.Item>
      </Accordion>
    </Stack>
  );
}
