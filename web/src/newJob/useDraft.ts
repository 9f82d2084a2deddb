import { useLocalStorage } from "@mantine/hooks";
import { type Draft, newDraft } from "@/newJob/draft";

const KEY = "annotateforge.new-job";

export interface KeptDraft {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  changeConfig: (part: Partial<Draft["config"]>) => void;
  set: (draft: Draft) => void;
  /** Begin anew. */
  clear: () => void;
}

/** The draft of a job, kept in this browser until the job is made or the draft is given up. */
export function useDraft(): KeptDraft {
  const [draft, set] = useLocalStorage<Draft>({
    key: KEY,
    defaultValue: newDraft(),
    getInitialValueInEffect: false,
  });
  return {
    draft,
    set,
    change: (part) => {
      set((now) => ({ ...now, ...part }));
    },
    changeConfig: (part) => {
      set((now) => ({ ...now, config: { ...now.config, ...part } }));
    },
    clear: () => {
      set(newDraft());
    },
  };
}
