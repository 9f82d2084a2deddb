type Listener = () => void;

const ASK_EVERY_MS = 2000;

/** Knows whether the server answers. Once a call was in vain, it asks until somebody is there again. */
export class ServerPresence {
  #away = false;
  readonly #listeners = new Set<Listener>();
  readonly #isAlive: () => Promise<boolean>;

  constructor(isAlive: () => Promise<boolean>) {
    this.#isAlive = isAlive;
  }

  readonly isAway = (): boolean => this.#away;

  /** Calls back at every change; the answer ends that. */
  readonly subscribe = (listener: Listener): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  answered(): void {
    this.#become(false);
  }

  missed(): void {
    if (this.#away) return;
    this.#become(true);
    this.#askAgain();
  }

  #become(away: boolean): void {
    if (this.#away === away) return;
    this.#away = away;
    for (const listener of this.#listeners) listener();
  }

  #askAgain(): void {
    setTimeout(() => {
      void this.#isAlive().then((alive) => {
        if (alive) this.answered();
        else if (this.#away) this.#askAgain();
      });
    }, ASK_EVERY_MS);
  }
}

async function isAlive(): Promise<boolean> {
  try {
    return (await fetch("/healthz", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

export const serverPresence = new ServerPresence(isAlive);
