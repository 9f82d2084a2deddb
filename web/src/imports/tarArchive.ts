const BLOCK = 512;
const LONGEST_NAME = 100;
/** Beyond what 11 octal digits say; the PAX header says it then. */
const LARGEST_OCTAL_SIZE = 0o77777777777;

/** A file and where it lies in the archive, with `/` between folders. */
export interface ArchiveFile {
  path: string;
  content: Blob;
}

/**
 * A tar archive of files (POSIX.1-2001, with PAX headers for long and non-ASCII names), made without reading
 * them: the browser reads each from the disk when it is sent.
 */
export function tarArchive(files: readonly ArchiveFile[]): Blob {
  const parts: BlobPart[] = files.flatMap(({ path, content }) => [
    ...paxHeader(path, content.size),
    header(path, Math.min(content.size, LARGEST_OCTAL_SIZE), "0"),
    content,
    padding(content.size),
  ]);
  return new Blob([...parts, new Uint8Array(2 * BLOCK)], { type: "application/x-tar" });
}

function paxHeader(path: string, size: number): BlobPart[] {
  const records = [
    ...(isShortAscii(path) ? [] : [paxRecord("path", path)]),
    ...(size > LARGEST_OCTAL_SIZE ? [paxRecord("size", String(size))] : []),
  ];
  if (records.length === 0) return [];
  const content = new TextEncoder().encode(records.join(""));
  return [header("PaxHeader", content.length, "x"), content, padding(content.length)];
}

/** "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const restBytes = new TextEncoder().encode(rest).length;
  let length = restBytes + 1;
  while (String(length).length + restBytes !== length) length = String(length).length + restBytes;
  return `${length}${rest}`;
}

function header(path: string, size: number, type: "0" | "x"): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const write = (text: string, offset: number, longest: number) => {
    block.set(new TextEncoder().encode(text).subarray(0, longest), offset);
  };
  write(path, 0, LONGEST_NAME);
  write("0000644\0", 100, 8);
  write("0000000\0", 108, 8);
  write("0000000\0", 116, 8);
  write(`${size.toString(8).padStart(11, "0")}\0`, 124, 12);
  write("00000000000\0", 136, 12);
  write("        ", 148, 8);
  write(type, 156, 1);
  write("ustar\x0000", 257, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}

function padding(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

function isShortAscii(path: string): boolean {
  return path.length <= LONGEST_NAME && /^[\x20-\x7e]*$/.test(path);
}
