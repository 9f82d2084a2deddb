import generated from "@/api/generated/trainingSettings.json";
import type { TaskType } from "@/jobs/jobService";
import type { SettingValue } from "@/newJob/draft";

/** A field of a job's configuration, as the API describes it. */
export interface Setting {
  /** The API's name, which for most is ultralytics' too. */
  name: string;
  /** Where it stands: in the configuration itself or in its `settings`. */
  place: "config" | "settings";
  kind: "number" | "integer" | "boolean" | "choice";
  title: string;
  description: string;
  group?: SettingGroup;
  /** Tasks on which it has an effect; all where left out. */
  tasks?: readonly TaskType[];
  choices?: readonly { value: string; meaning: string }[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  default?: SettingValue;
}

export type SettingGroup = "optimizer" | "schedule" | "loss" | "regularization" | "augmentation" | "hardware";

/** Fields of the configuration that the form asks for with words of its own. */
const APART = ["epochs", "batch_size", "image_size", "learning_rate", "priority", "patience", "max_hours"];

const ALL = generated as readonly Setting[];

/** What can be set beyond the first fields of the form, in the API's order. */
export const SETTINGS: readonly Setting[] = ALL.filter(({ name }) => !APART.includes(name));

/** The API's description of a field that is known to be there. */
export function described(name: string): Setting {
  const found = ALL.find((setting) => setting.name === name);
  if (found === undefined) throw new Error(`The API does not describe ${name}.`);
  return found;
}

/** A value as people read it. */
export function valueText(value: SettingValue): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  return String(value);
}
