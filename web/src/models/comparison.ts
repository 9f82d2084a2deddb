import type { Epoch } from "@/jobs/jobEvents";
import type { Model } from "@/models/modelService";
import type { PlotSeries } from "@/plot/plotOptions";

export const FEWEST_COMPARED = 2;
export const MOST_COMPARED = 6;

/** A property of several models, in their order. */
export interface ComparedRow {
  name: string;
  values: (string | undefined)[];
}

/** The metrics that any of the models has; `best` are the places of the largest value of each. */
export function comparedMetrics(
  models: readonly Model[],
): { name: string; values: (number | undefined)[]; best: number[] }[] {
  const names = [...new Set(models.flatMap(({ metrics }) => Object.keys(metrics)))];
  return names.map((name) => {
    const values = models.map(({ metrics }) => metrics[name]);
    const largest = Math.max(...values.filter((value) => value !== undefined));
    return { name, values, best: values.flatMap((value, place) => (value === largest ? [place] : [])) };
  });
}

/** The settings in which the models differ, under the API's names; those of `settings` by their own. */
export function differingSettings(models: readonly Model[]): ComparedRow[] {
  const flat = models.map(settingsOf);
  const names = [...new Set(flat.flatMap((settings) => [...settings.keys()]))].sort();
  return names
    .map((name) => ({ name, values: flat.map((settings) => settings.get(name)) }))
    .filter(({ values }) => new Set(values).size > 1);
}

/** A metric of several trainings over the epochs, a line for each model; models of one name are numbered. */
export function comparedCurves(
  models: readonly Model[],
  epochs: readonly (readonly Epoch[])[],
  read: (epoch: Epoch) => number | undefined,
): { x: number[]; series: PlotSeries[] } {
  const longest = Math.max(0, ...epochs.flatMap((list) => list.map(({ epoch }) => epoch)));
  const x = Array.from({ length: longest }, (_, place) => place + 1);
  const series = models.map(({ name }, place) => {
    const measured = new Map((epochs[place] ?? []).map((epoch) => [epoch.epoch, read(epoch)]));
    const shared = models.filter((other) => other.name === name).length > 1;
    return { label: shared ? `${name} (${place + 1})` : name, values: x.map((epoch) => measured.get(epoch)) };
  });
  return { x, series };
}

function settingsOf({ config, architecture, imageSize, datasetDigest }: Model): Map<string, string> {
  const settings = new Map<string, string>([
    ["architecture", architecture],
    ["image_size", String(imageSize)],
    ["data set", datasetDigest.slice(0, 8)],
  ]);
  const { settings: more, ...own } = config ?? {};
  for (const [name, value] of Object.entries({ ...own, ...more })) settings.set(name, text(value));
  return settings;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
