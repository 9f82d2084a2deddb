import { useLocalStorage } from "@mantine/hooks";
import { newRequestId } from "@/api/requestId";
import { type Draft, newDraft, type SettingValue } from "@/newJob/draft";

const KEY = "annotateforge.new-job";

const FIRST = newDraft();

export interface KeptDraft {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  changeConfig: (part: Partial<Draft["config"]>) => void;
  /** Sets one of the further settings; undefined takes it back to the default. */
  changeSetting: (name: string, value: SettingValue | undefined) => void;
  set: (draft: Draft) => void;
  /** Begin anew. */
  clear: () => void;
}

/** The draft of a job, kept in this browser until the job is made or the draft is given up. */
export function useDraft(): KeptDraft {
  const [draft, set] = useLocalStorage<Draft>({
    key: KEY,
    defaultValue: FIRST,
    getInitialValueInEffect: false,
    deserialize: readDraft,
  });
  return {
    draft,
    set,
    change: (part) => {
      set((now) => ({ ...now, ...part, requestId: newRequestId() }));
    },
    changeConfig: (part) => {
      set((now) => ({ ...now, config: { ...now.config, ...part }, requestId: newRequestId() }));
    },
    changeSetting: (name, value) => {
      set((now) => {
        const { [name]: _before, ...others } = now.settings;
        const settings = value === undefined ? others : { ...others, [name]: value };
        return { ...now, settings, requestId: newRequestId() };
      });
    },
    clear: () => {
      set(newDraft());
    },
  };
}

/** A kept draft; one of an older version of the app gets what it lacks, one that cannot be read is given up. */
function readDraft(kept: string | undefined): Draft {
  if (kept === undefined) return FIRST;
  try {
    const draft = JSON.parse(kept) as Partial<Draft>;
    const fresh = newDraft();
    return { ...fresh, ...draft, config: { ...fresh.config, ...draft.config } };
  } catch {
    return FIRST;
  }
}
