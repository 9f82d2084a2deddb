import type { JobConfig } from "@/api/generated/schema";
import { settingsOf } from "@/newJob/draftFrom";
import { SETTINGS, valueText } from "@/newJob/trainingSettings";

/** The further settings of a job that are not the defaults, as people call them. */
export function changedOf(config: JobConfig): { title: string; value: string }[] {
  const chosen = settingsOf(config);
  return SETTINGS.flatMap((setting) => {
    const value = chosen[setting.name];
    if (value === undefined || value === setting.default) return [];
    return [{ title: setting.title, value: valueText(value) }];
  });
}
