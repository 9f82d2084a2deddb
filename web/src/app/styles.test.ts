import { readFileSync } from "node:fs";
import { DEFAULT_THEME } from "@mantine/core";
import { expect, test } from "vitest";

const styles = readFileSync(new URL("styles.css", import.meta.url), "utf-8");

function placeholder(scheme: "light" | "dark"): string {
  const block = new RegExp(`scheme="${scheme}"\\] \\{[^}]*--mantine-color-placeholder: (#[0-9a-f]{6});`);
  const found = block.exec(styles)?.[1];
  if (found === undefined) throw new Error(`Placeholders have no colour of ours in the ${scheme} scheme.`);
  return found;
}

/** Relative luminance as WCAG 2 defines it, 0 to 1. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [darker = 0, brighter = 0] = [luminance(one), luminance(other)].sort((left, right) => left - right);
  return (brighter + 0.05) / (darker + 0.05);
}

test.each([
  ["light", "#ffffff"],
  ["dark", DEFAULT_THEME.colors.dark[6]],
] as const)("placeholders can be read in fields of the %s scheme", (scheme, field) => {
  expect(contrast(placeholder(scheme), field)).toBeGreaterThanOrEqual(4.5);
});
