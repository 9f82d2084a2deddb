import type { CurvePoint } from "@/models/comparisonService";
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

/** A metric of several trainings over the epochs, a line for each model; models of one name are numbered. */
export function comparedCurves(
  models: readonly Model[],
  curves: readonly (readonly CurvePoint[])[],
  read: (point: CurvePoint) => number | undefined,
): { x: number[]; series: PlotSeries[] } {
  const longest = Math.max(0, ...curves.flatMap((points) => points.map(({ epoch }) => epoch)));
  const x = Array.from({ length: longest }, (_, place) => place + 1);
  const series = models.map(({ name }, place) => {
    const measured = new Map((curves[place] ?? []).map((point) => [point.epoch, read(point)]));
    const shared = models.filter((other) => other.name === name).length > 1;
    return { label: shared ? `${name} (${place + 1})` : name, values: x.map((epoch) => measured.get(epoch)) };
  });
  return { x, series };
}
