import { NumberField } from "@/newJob/NumberField";
import { type NumberField as Field, type Range, RANGES } from "@/newJob/ranges";
import type { StepProps } from "@/newJob/stepProps";

interface ConfigNumberProps extends StepProps {
  field: Field;
  label: string;
  description: string;
  step?: number;
}

/** A number of the configuration, with its range. */
export function ConfigNumber({ kept, problems, field, label, description, step = 1 }: ConfigNumberProps) {
  const range: Range = RANGES[field];
  return (
    <NumberField
      label={label}
      description={description}
      value={kept.draft.config[field]}
      onChange={(value) => {
        kept.changeConfig({ [field]: value });
      }}
      error={problems[field]}
      min={range.least}
      max={range.most}
      step={step}
      allowDecimal={range.whole !== true}
    />
  );
}
