import type { ReactNode } from "react";
import { ConfigNumber } from "@/newJob/ConfigNumber";
import { ConfigSelect } from "@/newJob/ConfigSelect";
import { newDraft, type PretrainedUse, type SplitStrategy } from "@/newJob/draft";
import { SettingField } from "@/newJob/SettingField";
import { changedSettings, settingsFor } from "@/newJob/settingRules";
import type { StepProps } from "@/newJob/stepProps";
import type { SettingGroup } from "@/newJob/trainingSettings";

export type AdvancedGroup = SettingGroup | "data";

/** One field among the advanced ones. */
export interface Entry {
  /** Its name among the problems. */
  key: string;
  group: AdvancedGroup;
  /** What it is found by. */
  words: string;
  /** Whether it has another value than the default. */
  changed: boolean;
  element: ReactNode;
}

const OPTIMIZERS = ["auto", "SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSProp"].map(
  (name) => ({ value: name, label: name }),
);

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

const DEFAULTS = newDraft().config;

/** What the fields with words of their own begin with. */
export const OWN_DEFAULTS = {
  strategy: DEFAULTS.strategy,
  testRatio: DEFAULTS.testRatio,
  pretrained: DEFAULTS.pretrained,
  optimizer: DEFAULTS.optimizer,
  patience: DEFAULTS.patience,
  maxHours: DEFAULTS.maxHours,
  priority: DEFAULTS.priority,
};

/** The advanced fields of the draft's task: those with words of their own, then what the API describes. */
export function advancedEntries(props: StepProps): Entry[] {
  const changed = changedSettings(props.kept.draft).map(({ setting }) => setting.name);
  return [
    ...ownEntries(props),
    ...settingsFor(props.kept.draft).map((setting) => ({
      key: `settings.${setting.name}`,
      group: setting.group ?? ("hardware" as const),
      words: `${setting.title} ${setting.name} ${setting.description}`,
      changed: changed.includes(setting.name),
      element: <SettingField {...props} setting={setting} />,
    })),
  ];
}

function ownEntries(props: StepProps): Entry[] {
  const { draft } = props.kept;
  const { config } = draft;
  return [
    {
      key: "strategy",
      group: "data",
      words: "split strategy stratified grouped random",
      changed: config.strategy !== OWN_DEFAULTS.strategy,
      element: (
        <ConfigSelect
          {...props}
          field="strategy"
          label="Split"
          description="How images are dealt out"
          data={STRATEGIES}
        />
      ),
    },
    {
      key: "testRatio",
      group: "data",
      words: "share for a test split",
      changed: config.testRatio !== OWN_DEFAULTS.testRatio,
      element: (
        <ConfigNumber
          {...props}
          field="testRatio"
          label="Share for a test"
          description="Images that neither train nor validate"
          step={0.05}
        />
      ),
    },
    {
      key: "pretrained",
      group: "data",
      words: "pretrained weights",
      changed: config.pretrained !== OWN_DEFAULTS.pretrained,
      element: (
        <ConfigSelect
          {...props}
          field="pretrained"
          label="Pretrained weights"
          description="They save epochs and images"
          data={PRETRAINED}
          disabled={draft.baseModelId !== ""}
        />
      ),
    },
    {
      key: "optimizer",
      group: "optimizer",
      words: "optimizer auto sgd adam adamw",
      changed: config.optimizer !== OWN_DEFAULTS.optimizer,
      element: (
        <ConfigSelect
          {...props}
          field="optimizer"
          label="Optimizer"
          description="auto also chooses learning rate and momentum"
          data={OPTIMIZERS}
        />
      ),
    },
    {
      key: "patience",
      group: "schedule",
      words: "patience early stopping",
      changed: config.patience !== OWN_DEFAULTS.patience,
      element: (
        <ConfigNumber
          {...props}
          field="patience"
          label="Patience"
          description="Epochs without improvement after which it stops; 0 never stops"
        />
      ),
    },
    {
      key: "maxHours",
      group: "schedule",
      words: "time limit max_hours",
      changed: config.maxHours !== OWN_DEFAULTS.maxHours,
      element: (
        <ConfigNumber
          {...props}
          field="maxHours"
          label="Time limit in hours"
          description="Left empty: none. The epoch that is running is finished."
        />
      ),
    },
    {
      key: "priority",
      group: "hardware",
      words: "priority queue",
      changed: config.priority !== OWN_DEFAULTS.priority,
      element: (
        <ConfigNumber
          {...props}
          field="priority"
          label="Priority"
          description="Among waiting jobs the higher one is next"
        />
      ),
    },
  ];
}
