import { Select } from "@mantine/core";
import type { DraftConfig } from "@/newJob/draft";
import type { StepProps } from "@/newJob/stepProps";

type Choice = "strategy" | "pretrained" | "optimizer";

interface ConfigSelectProps<Field extends Choice> extends StepProps {
  field: Field;
  label: string;
  description: string;
  data: readonly { value: DraftConfig[Field]; label: string }[];
  disabled?: boolean;
}

/** A choice of the configuration, of which there is always one. */
export function ConfigSelect<Field extends Choice>(props: ConfigSelectProps<Field>) {
  const { kept, field, label, description, data, disabled = false } = props;
  return (
    <Select<DraftConfig[Field]>
      label={label}
      description={description}
      data={data}
      value={kept.draft.config[field]}
      onChange={(value) => {
        if (value !== null) kept.changeConfig({ [field]: value });
      }}
      disabled={disabled}
      allowDeselect={false}
    />
  );
}
