import { useSyncExternalStore } from "react";

/** The time in milliseconds, which goes on in steps. */
export function useNow(step: number): number {
  return useSyncExternalStore(
    (listener) => {
      const timer = setInterval(listener, step);
      return () => {
        clearInterval(timer);
      };
    },
    () => Math.ceil(Date.now() / step) * step,
  );
}
