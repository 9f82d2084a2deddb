import type { Draft, SettingValue } from "@/newJob/draft";
import { numberProblem, rangeOf } from "@/newJob/ranges";
import { type Setting, SETTINGS } from "@/newJob/trainingSettings";

const WITH_MOMENTUM = ["SGD", "MuSGD", "RMSProp"];
const NAMED_ONLY = ["momentum", "warmup_momentum", "warmup_bias_lr"];
const COLOURS = ["hsv_h", "hsv_s", "hsv_v"];
const MIXES = ["mosaic", "mixup", "cutmix"];

/** The settings that have a meaning for the draft's task. */
export function settingsFor({ taskType }: Draft): Setting[] {
  return SETTINGS.filter(({ tasks }) => tasks?.includes(taskType) ?? true);
}

/**
 * Why a setting would have no effect beside the others, for which the API refuses it. Undefined when it has one.
 *
 * The trainer decides; that this says the same is tested with settingRules.test.json, which the trainer's tests compare with it.
 */
export function shutOut(name: string, { taskType, config, settings }: Draft): string | undefined {
  const { optimizer } = config;
  if (optimizer === "auto" && NAMED_ONLY.includes(name)) {
    return "The optimizer auto chooses its own.";
  }
  if (name === "warmup_momentum" && !WITH_MOMENTUM.includes(optimizer)) {
    return `${optimizer} does not warm it up.`;
  }
  if (taskType === "classify" && COLOURS.includes(name) && settings.auto_augment !== "off") {
    return "Only while the automatic augmentation is off.";
  }
  if (taskType !== "classify" && MIXES.includes(name) && settings.rect === true) {
    return "Not with rectangular batches.";
  }
  return undefined;
}

/** What somebody chose that is not the default and has an effect: all that is sent. */
export function changedSettings(draft: Draft): { setting: Setting; value: SettingValue }[] {
  return settingsFor(draft).flatMap((setting) => {
    const value = draft.settings[setting.name];
    const kept = value === undefined || value === setting.default || shutOut(setting.name, draft);
    return kept ? [] : [{ setting, value }];
  });
}

/** What is wrong with the settings, by `settings.` and name. */
export function settingProblems(draft: Draft): Record<string, string> {
  const problems: Record<string, string> = {};
  for (const { setting, value } of changedSettings(draft)) {
    const problem = typeof value === "number" ? numberProblem(value, rangeOf(setting)) : undefined;
    if (problem !== undefined) problems[`settings.${setting.name}`] = problem;
  }
  return problems;
}
