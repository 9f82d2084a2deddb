import { expect, test } from "vitest";
import { partsOf } from "@/images/filename";

test("a file's name is told from the folders that it came with", () => {
  expect(partsOf("cells/train/a.b.jpg")).toEqual({ folder: "cells/train", base: "a.b.jpg" });
  expect(partsOf("a.jpg")).toEqual({ folder: "", base: "a.jpg" });
});
