import { useSyncExternalStore } from "react";
import type { ImportSource } from "@/imports/chosenFiles";
import { importArchive, type ImportReport, type UploadProgress } from "@/imports/importService";

/** Where the import into a project stands. */
export type ImportState =
  | { stage: "sending"; name: string; progress: UploadProgress; stop: () => void }
  | { stage: "reading"; name: string; stop: () => void }
  | { stage: "done"; name: string; report: ImportReport }
  | { stage: "failed"; name: string; error: Error };

/**
 * The imports that this tab has started, one for each project. They live outside of the pages, so that one may
 * look at other pages meanwhile; before the tab is closed it asks.
 */
class ImportStore {
  readonly #states = new Map<string, ImportState>();
  readonly #listeners = new Set<() => void>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  of(projectId: string): ImportState | undefined {
    return this.#states.get(projectId);
  }

  /** Sends the source; settles when the import has ended, however. Error while another one is running. */
  async start(projectId: string, source: ImportSource): Promise<void> {
    if (isRunning(this.#states.get(projectId))) {
      throw new Error("Wait until the import that is running has ended, or stop it.");
    }
    const stopping = new AbortController();
    const { name } = source;
    const stop = () => {
      stopping.abort();
    };
    const onProgress = (progress: UploadProgress) => {
      const all = progress.sent >= progress.total;
      this.#set(
        projectId,
        all ? { stage: "reading", name, stop } : { stage: "sending", name, progress, stop },
      );
    };
    onProgress({ sent: 0, total: Math.max(source.content.size, 1) });
    try {
      const report = await importArchive(projectId, source, onProgress, stopping.signal);
      this.#set(projectId, { stage: "done", name, report });
    } catch (error) {
      if (stopping.signal.aborted) this.forget(projectId);
      else this.#set(projectId, { stage: "failed", name, error: error as Error });
    }
  }

  /** Forgets an import that has ended. */
  forget(projectId: string): void {
    this.#states.delete(projectId);
    this.#tell();
  }

  #set(projectId: string, state: ImportState): void {
    this.#states.set(projectId, state);
    this.#tell();
  }

  #tell(): void {
    const running = [...this.#states.values()].some(isRunning);
    window.onbeforeunload = running ? askBeforeLeaving : null;
    for (const listener of this.#listeners) listener();
  }
}

export const importStore = new ImportStore();

/** The newest import into a project that this tab has started. */
export function useImportState(projectId: string): ImportState | undefined {
  return useSyncExternalStore(importStore.subscribe, () => importStore.of(projectId));
}

function isRunning(state: ImportState | undefined): boolean {
  return state?.stage === "sending" || state?.stage === "reading";
}

function askBeforeLeaving(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
