import { NumberInput } from "@mantine/core";
import { type NumberField, RANGES } from "@/newJob/steps";
import type { StepProps } from "@/newJob/stepProps";

interface ConfigNumberProps extends StepProps {
  field: NumberField;
  label: string;
  description: string;
  step?: number;
}

/** A number of the configuration, with its range. */
export function ConfigNumber({ kept, problems, field, label, description, step = 1 }: ConfigNumberProps) {
  const range: { least: number; most: number; whole?: boolean } = RANGES[field];
  return (
    <NumberInput
      label={label}
      description={description}
      value={kept.draft.config[field] ?? ""}
      onChange={(value) => {
        kept.changeConfig({ [field]: typeof value === "number" ? value : undefined });
      }}
      error={problems[field]}
      min={range.least}
      max={range.most}
      step={step}
      allowDecimal={range.whole !== true}
      clampBehavior="none"
    />
  );
}
