import { backoff } from "@/live/backoff";

/** Where a feed stands. `polling`: the WebSocket cannot be had, and the events are asked for instead. */
export type FeedState = "connecting" | "live" | "reconnecting" | "polling" | "ended" | "refused";

/** What a message must have to be told apart from others; live-only ones have no sequence. */
export interface Sequenced {
  sequence?: number | undefined;
}

/** What a feed needs of the world; tests bring their own. */
export interface FeedSource<Message extends Sequenced> {
  /** Opens a WebSocket that sends what comes after a sequence. */
  open: (after: number) => WebSocket;
  /** The stored messages after a sequence, as the REST API tells them. */
  fetch: (after: number) => Promise<Message[]>;
  parse: (text: string) => Message;
  /** Whether nothing comes after this message. */
  isLast: (message: Message) => boolean;
}

export interface FeedListener<Message> {
  onMessages: (messages: Message[]) => void;
  onState: (state: FeedState) => void;
}

const ENDED = 1000;
/** Close codes from here say that trying again is useless: docs/rest-api.md. */
const REFUSED = 4400;
const POLL_AFTER_FAILURES = 3;
const POLL_MS = 2000;
/** A connection that lasts so long was a good one. */
const STABLE_MS = 5000;

/**
 * Follows a job: its history by REST, then live by WebSocket, from wherever it broke off.
 *
 * Each stored message is told exactly once and in order, however often the connection drops: what comes again is dropped, and
 * where one is missing the connection is made anew after the last one that was told.
 */
export class JobFeed<Message extends Sequenced> {
  #after = 0;
  #failures = 0;
  #state: FeedState = "connecting";
  #running = false;
  #socket: WebSocket | undefined;
  /** Number of the catch-up that counts: one that another, or `stop`, has overtaken while it fetched does nothing more. */
  #catchUp = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  readonly #source: FeedSource<Message>;
  readonly #listener: FeedListener<Message>;

  constructor(source: FeedSource<Message>, listener: FeedListener<Message>) {
    this.#source = source;
    this.#listener = listener;
  }

  /** Begins, or goes on after `stop`. */
  start(): void {
    if (this.#running || this.#isOver()) return;
    this.#running = true;
    void this.#fetchMissed();
  }

  stop(): void {
    this.#running = false;
    this.#catchUp += 1;
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  /** Tries at once instead of waiting, for instance when the network is back. */
  hurry(): void {
    if (!this.#running || this.#socket !== undefined || this.#isOver()) return;
    clearTimeout(this.#retry);
    void this.#fetchMissed();
  }

  async #fetchMissed(): Promise<void> {
    const own = ++this.#catchUp;
    let messages: Message[];
    try {
      messages = await this.#source.fetch(this.#after);
    } catch {
      if (own === this.#catchUp) this.#again();
      return;
    }
    if (own !== this.#catchUp) return;
    this.#take(messages);
    if (this.#running && !this.#isOver()) this.#connect();
  }

  #connect(): void {
    const socket = this.#source.open(this.#after);
    this.#socket = socket;
    let stable: ReturnType<typeof setTimeout> | undefined;
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      this.#become("live");
      stable = setTimeout(() => {
        this.#failures = 0;
      }, STABLE_MS);
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      if (this.#socket === socket && !this.#take([this.#source.parse(event.data)])) socket.close();
    };
    socket.onclose = (event) => {
      clearTimeout(stable);
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      if (this.#isOver()) return;
      if (event.code >= REFUSED) this.#finish("refused");
      else if (event.code === ENDED) void this.#fetchMissed();
      else this.#again();
    };
  }

  /** Tells what is new; whether nothing was missing. */
  #take(messages: Message[]): boolean {
    const fresh: Message[] = [];
    let whole = true;
    for (const message of messages) {
      if (message.sequence === undefined) {
        fresh.push(message);
        continue;
      }
      if (message.sequence <= this.#after) continue;
      if (message.sequence > this.#after + 1) {
        whole = false;
        break;
      }
      this.#after = message.sequence;
      fresh.push(message);
    }
    if (fresh.length > 0 && this.#running) this.#listener.onMessages(fresh);
    const last = fresh.at(-1);
    if (last !== undefined && this.#source.isLast(last)) this.#finish("ended");
    return whole;
  }

  #again(): void {
    this.#failures += 1;
    const polling = this.#failures >= POLL_AFTER_FAILURES;
    this.#become(polling ? "polling" : "reconnecting");
    this.#retry = setTimeout(() => void this.#fetchMissed(), polling ? POLL_MS : backoff(this.#failures));
  }

  #finish(state: "ended" | "refused"): void {
    this.#become(state);
    this.stop();
  }

  #isOver(): boolean {
    return this.#state === "ended" || this.#state === "refused";
  }

  #become(state: FeedState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#listener.onState(state);
  }
}
