import type { DraftConfig } from "@/newJob/draft";
import { described, type Setting } from "@/newJob/trainingSettings";

export interface Range {
  least: number;
  most: number;
  whole?: boolean;
  /** May be left empty. */
  optional?: boolean;
  /** The least value itself is not allowed. */
  above?: boolean;
  /** The greatest value itself is not allowed. */
  below?: boolean;
}

/** Which numbers the API takes for a setting. */
export function rangeOf(setting: Setting): Range {
  return {
    least: setting.minimum ?? setting.exclusiveMinimum ?? 0,
    most: setting.maximum ?? setting.exclusiveMaximum ?? Number.MAX_SAFE_INTEGER,
    whole: setting.kind === "integer",
    above: setting.exclusiveMinimum !== undefined,
    below: setting.exclusiveMaximum !== undefined,
  };
}

/** What the API takes; it checks again. */
export const RANGES = {
  epochs: rangeOf(described("epochs")),
  batchSize: rangeOf(described("batch_size")),
  imageSize: rangeOf(described("image_size")),
  learningRate: { ...rangeOf(described("learning_rate")), optional: true },
  patience: rangeOf(described("patience")),
  priority: rangeOf(described("priority")),
  maxHours: { ...rangeOf(described("max_hours")), optional: true },
  trainRatio: { least: 0.05, most: 0.95 },
  testRatio: { least: 0, most: 0.9 },
  splitSeed: { least: 0, most: 2 ** 31 - 1, whole: true },
} satisfies Partial<Record<keyof DraftConfig, Range>>;

export type NumberField = keyof typeof RANGES;

/** Such as "0 to 1" or "above 0, below 1". */
export function rangeText({ least, most, above, below }: Range): string {
  if (!above && !below) return `${shown(least)} to ${shown(most)}`;
  return `${above ? "above" : "at least"} ${shown(least)}, ${below ? "below" : "at most"} ${shown(most)}`;
}

/** What is wrong with a number, if anything is. */
export function numberProblem(value: number | undefined, range: Range): string | undefined {
  const { least, most, whole, optional, above, below } = range;
  if (value === undefined) return optional ? undefined : "Enter a number.";
  if (whole && !Number.isInteger(value)) return "Enter a whole number.";
  if (value > most || value < least || (above && value === least) || (below && value === most)) {
    return `Choose a number ${above || below ? "" : "from "}${rangeText(range)}.`;
  }
  return undefined;
}

function shown(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: 6 });
}
