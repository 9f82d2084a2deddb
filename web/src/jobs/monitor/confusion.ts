import type { ConfusionMatrix } from "@/api/generated/schema";

/** For each prediction and truth, which share of the truth was predicted so, 0 to 1; 0 where there is none of it. */
export function shares({ rows }: ConfusionMatrix): number[][] {
  const totals: number[] = [];
  for (const { counts } of rows)
    counts.forEach((count, column) => (totals[column] = (totals[column] ?? 0) + count));
  return rows.map(({ counts }) =>
    counts.map((count, column) => (count === 0 ? 0 : count / (totals[column] ?? 1))),
  );
}
