import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tarArchive } from "@/imports/tarArchive";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tar-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test("tar unpacks what was packed, with long and Chinese names and files of any length", async () => {
  const files = {
    "images/a.jpg": "picture",
    "labels/空白 name.txt": "0 0.5 0.5 1 1\n",
    [`deep/${"folder/".repeat(20)}b.jpg`]: "x".repeat(512),
    "empty.txt": "",
    "long.bin": "y".repeat(100_000),
  };
  const archive = tarArchive(
    Object.entries(files).map(([path, content]) => ({ path, content: new Blob([content]) })),
  );
  writeFileSync(join(folder, "archive.tar"), new Uint8Array(await archive.arrayBuffer()));
  execFileSync("tar", ["-xf", "archive.tar"], { cwd: folder });
  for (const [path, content] of Object.entries(files)) {
    expect(readFileSync(join(folder, path), "utf8")).toBe(content);
  }
});
