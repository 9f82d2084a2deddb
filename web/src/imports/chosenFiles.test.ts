import { expect, test } from "vitest";
import { importSource } from "@/imports/chosenFiles";

function file(path: string) {
  return { path, content: new Blob(["content"]) };
}

test("an archive is sent as it is", () => {
  const archive = file("cells.zip");
  expect(importSource([archive])).toEqual({ name: "cells.zip", content: archive.content });
});

test("a folder is packed, and has its name", () => {
  const source = importSource([file("cells/images/a.jpg"), file("cells/labels/a.txt")]);
  expect(source?.name).toBe("cells");
  expect(source?.content.type).toBe("application/x-tar");
});

test("single files are counted", () => {
  expect(importSource([file("a.jpg"), file("b.jpg")])?.name).toBe("2 files");
});

test("what file managers leave in folders is no content", () => {
  expect(importSource([file("cells/.DS_Store"), file("__MACOSX/cells/._a.jpg")])).toBeUndefined();
  expect(importSource([file("cells.zip"), file(".DS_Store")])?.name).toBe("cells.zip");
});
