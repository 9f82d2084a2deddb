import { expect, test } from "vitest";
import { bytes } from "@/components/bytes";
import { count } from "@/components/count";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [6_200_000, "6.2 MB"],
  [141_000_000_000, "141 GB"],
])("%d bytes are %s", (size, shown) => {
  expect(bytes(size)).toBe(shown);
});

test("counts agree with their noun", () => {
  expect(count(1, "image")).toBe("1 image");
  expect(count(12_000, "image")).toBe("12,000 images");
  expect(count(0, "class", "classes")).toBe("0 classes");
});
