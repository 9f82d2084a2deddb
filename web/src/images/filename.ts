/** The folders that a name came with, and what is left of it. */
export function partsOf(filename: string): { folder: string; base: string } {
  const end = filename.lastIndexOf("/");
  return { folder: filename.slice(0, Math.max(end, 0)), base: filename.slice(end + 1) };
}
