import { type ArchiveFile, tarArchive } from "@/imports/tarArchive";

const ARCHIVE_NAME = /\.(zip|tar|tar\.gz|tgz)$/i;
/** What file managers leave in folders. */
const CLUTTER = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX\/.*|\._[^/]*)$/;

/** What is sent to be imported. */
export interface ImportSource {
  /** What people call it. */
  name: string;
  content: Blob;
}

/** The files of what was dropped, folders walked through. */
export async function droppedFiles(items: DataTransferItemList): Promise<ArchiveFile[]> {
  // All of them at once: the list is empty after the first await.
  const entries = Array.from(items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  return (await Promise.all(entries.map(filesBelow))).flat();
}

/** The files that were chosen in a dialog; of a folder, with their place in it. */
export function pickedFiles(files: FileList): ArchiveFile[] {
  return Array.from(files, (file) => ({ path: file.webkitRelativePath || file.name, content: file }));
}

/** A single archive as it is; everything else is packed into one, labels beside images. Undefined for nothing. */
export function importSource(files: ArchiveFile[]): ImportSource | undefined {
  const wanted = files.filter(({ path }) => !CLUTTER.test(path));
  const [first] = wanted;
  if (first === undefined) return undefined;
  if (wanted.length === 1 && ARCHIVE_NAME.test(first.path)) {
    return { name: baseName(first.path), content: first.content };
  }
  return { name: nameOf(wanted, first), content: tarArchive(wanted) };
}

function nameOf(files: ArchiveFile[], first: ArchiveFile): string {
  const [folder, ...rest] = first.path.split("/");
  if (folder !== undefined && rest.length > 0 && files.every(({ path }) => path.startsWith(`${folder}/`))) {
    return folder;
  }
  return files.length === 1 ? baseName(first.path) : `${files.length} files`;
}

async function filesBelow(entry: FileSystemEntry): Promise<ArchiveFile[]> {
  const path = entry.fullPath.replace(/^\//, "");
  if (isFile(entry)) {
    const content = await new Promise<File>((done, failed) => {
      entry.file(done, failed);
    });
    return [{ path, content }];
  }
  if (!isFolder(entry)) return [];
  const reader = entry.createReader();
  const children: FileSystemEntry[] = [];
  for (;;) {
    // A reader gives a hundred or so at a time, and nothing at the end.
    const some = await new Promise<FileSystemEntry[]>((done, failed) => {
      reader.readEntries(done, failed);
    });
    if (some.length === 0) break;
    children.push(...some);
  }
  const found: ArchiveFile[] = [];
  for (const child of children) found.push(...(await filesBelow(child)));
  return found;
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
