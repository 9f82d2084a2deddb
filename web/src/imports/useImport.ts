import { useQueryClient } from "@tanstack/react-query";
import { notifyError } from "@/components/notify";
import { IMAGES } from "@/images/imageQueries";
import { importSource } from "@/imports/chosenFiles";
import { importStore } from "@/imports/importStore";
import type { ArchiveFile } from "@/imports/tarArchive";
import { PROJECTS } from "@/projects/projectQueries";

/** Starts an import into a project, and brings what is on the screen up to date when it has ended. */
export function useImport(projectId: string): (files: ArchiveFile[] | Promise<ArchiveFile[]>) => void {
  const queryClient = useQueryClient();
  const run = async (files: ArchiveFile[]) => {
    const source = importSource(files);
    if (source === undefined) return;
    await importStore.start(projectId, source);
    await Promise.all([
      queryClient.invalidateQueries({ queryKey: PROJECTS }),
      queryClient.invalidateQueries({ queryKey: [...IMAGES, "list", projectId] }),
    ]);
  };
  return (files) => {
    void Promise.resolve(files)
      .then(run)
      .catch((error: unknown) => {
        notifyError(error as Error);
      });
  };
}
