import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type FeedState, JobFeed } from "@/live/jobFeed";

interface Message {
  sequence?: number;
  last?: boolean;
}

/** A WebSocket whose other end is the test. */
class FakeSocket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  readonly after: number;
  closed = false;

  constructor(after: number) {
    this.after = after;
  }

  say(...messages: Message[]): void {
    for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) });
  }

  drop(code = 1006): void {
    this.closed = true;
    this.onclose?.({ code });
  }

  close(): void {
    if (!this.closed) this.drop(1005);
  }
}

/** A feed on a server that the test plays. */
function feedOn(stored: Message[]) {
  const sockets: FakeSocket[] = [];
  const told: Message[] = [];
  const states: FeedState[] = [];
  const server = { reachable: true, fetches: 0, answering: Promise.resolve() };
  const feed = new JobFeed<Message>(
    {
      open: (after) => {
        const socket = new FakeSocket(after);
        sockets.push(socket);
        return socket as unknown as WebSocket;
      },
      fetch: (after) => {
        server.fetches += 1;
        if (!server.reachable) return Promise.reject(new Error("away"));
        return server.answering.then(() => stored.filter(({ sequence }) => (sequence ?? 0) > after));
      },
      parse: (text) => JSON.parse(text) as Message,
      isLast: (message) => message.last === true,
    },
    { onMessages: (messages) => told.push(...messages), onState: (state) => states.push(state) },
  );
  const socket = () => {
    const newest = sockets.at(-1);
    if (newest === undefined) throw new Error("No WebSocket was opened.");
    return newest;
  };
  const sequences = () => told.flatMap(({ sequence }) => sequence ?? []);
  return { feed, socket, sockets, told, states, server, sequences };
}

/** Keeps the server's answers back until the returned function is called. */
function held(server: { answering: Promise<void> }): () => void {
  let answer!: () => void;
  server.answering = new Promise((resolve) => {
    answer = resolve;
  });
  return answer;
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("history comes first, then what is live, from where history ended", async () => {
  const { feed, socket, sequences, states } = feedOn([{ sequence: 1 }, { sequence: 2 }]);
  feed.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(socket().after).toBe(2);
  socket().onopen?.();
  socket().say({ sequence: 3 }, {}, { sequence: 4 });
  expect(sequences()).toEqual([1, 2, 3, 4]);
  expect(states).toEqual(["live"]);
});

test("no drop loses or repeats a message", async () => {
  const stored: Message[] = [];
  const { feed, socket, sequences, states } = feedOn(stored);
  feed.start();
  for (let sequence = 1; sequence <= 50; sequence += 1) {
    stored.push({ sequence });
    await vi.advanceTimersByTimeAsync(20_000);
    socket().onopen?.();
    // What was told already comes again, as after a connection to another replica.
    socket().say({ sequence: Math.max(1, sequence - 1) }, { sequence });
    if (sequence % 3 === 0) socket().drop();
  }
  expect(sequences()).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  expect(states).toContain("reconnecting");
  expect(states.at(-1)).toBe("live");
});

test("a message that is missing is fetched before the next one is told", async () => {
  const stored: Message[] = [{ sequence: 1 }];
  const { feed, socket, sequences } = feedOn(stored);
  feed.start();
  await vi.advanceTimersByTimeAsync(0);
  stored.push({ sequence: 2 }, { sequence: 3 });
  socket().say({ sequence: 3 });
  expect(sequences()).toEqual([1]);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(sequences()).toEqual([1, 2, 3]);
  expect(socket().after).toBe(3);
});

test("where no WebSocket can be had, events are asked for", async () => {
  const stored: Message[] = [{ sequence: 1 }];
  const { feed, socket, sequences, states } = feedOn(stored);
  feed.start();
  for (let failure = 0; failure < 5; failure += 1) {
    await vi.advanceTimersByTimeAsync(3000);
    socket().drop();
  }
  expect(states.at(-1)).toBe("polling");
  stored.push({ sequence: 2 });
  await vi.advanceTimersByTimeAsync(3000);
  expect(sequences()).toEqual([1, 2]);
});

test("a server that is away is tried again, and at once when told to hurry", async () => {
  const { feed, sockets, server, states } = feedOn([{ sequence: 1 }]);
  server.reachable = false;
  feed.start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(states).toEqual(["reconnecting", "polling"]);
  expect(sockets).toEqual([]);
  server.reachable = true;
  feed.hurry();
  await vi.advanceTimersByTimeAsync(0);
  expect(sockets.length).toBe(1);
});

test("who hurries while the history is being fetched gets one WebSocket", async () => {
  const { feed, sockets, server, sequences } = feedOn([{ sequence: 1 }]);
  const answer = held(server);
  feed.start();
  feed.hurry();
  feed.hurry();
  answer();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets.filter(({ closed }) => !closed).length).toBe(1);
  expect(sockets.length).toBe(1);
  expect(sequences()).toEqual([1]);
});

test("a fetch that hangs holds up nobody who hurries", async () => {
  const { feed, sockets, server } = feedOn([{ sequence: 1 }]);
  held(server);
  feed.start();
  server.answering = Promise.resolve();
  feed.hurry();
  await vi.advanceTimersByTimeAsync(0);
  expect(sockets.length).toBe(1);
});

test("a fetch that fails after it was overtaken does not disturb the connection", async () => {
  const { feed, sockets, server, states } = feedOn([]);
  const answer = held(server);
  server.answering = server.answering.then(() => Promise.reject(new Error("away")));
  feed.start();
  server.answering = Promise.resolve();
  feed.hurry();
  await vi.advanceTimersByTimeAsync(0);
  answer();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sockets.length).toBe(1);
  expect(states).toEqual([]);
});

test("what comes while a feed is stopped is told when it goes on, over one WebSocket", async () => {
  const { feed, sockets, server, sequences } = feedOn([{ sequence: 1 }]);
  const answer = held(server);
  feed.start();
  feed.stop();
  answer();
  await vi.advanceTimersByTimeAsync(0);
  expect([sequences(), sockets.length]).toEqual([[], 0]);
  const again = held(server);
  feed.start();
  feed.stop();
  feed.start();
  again();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sequences()).toEqual([1]);
  expect(sockets.length).toBe(1);
});

test("after the last message nothing is opened or asked for any more", async () => {
  const { feed, socket, sockets, server, states } = feedOn([{ sequence: 1 }]);
  feed.start();
  await vi.advanceTimersByTimeAsync(0);
  socket().onopen?.();
  socket().say({ sequence: 2, last: true });
  expect(socket().closed).toBe(true);
  expect(states).toEqual(["live", "ended"]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([sockets.length, server.fetches]).toEqual([1, 1]);
});

test("the history of a job that has ended needs no WebSocket", async () => {
  const { feed, sockets, sequences, states } = feedOn([{ sequence: 1 }, { sequence: 2, last: true }]);
  feed.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(sequences()).toEqual([1, 2]);
  expect(states).toEqual(["ended"]);
  expect(sockets).toEqual([]);
});

test("what is refused is not tried again", async () => {
  const { feed, socket, sockets, states } = feedOn([]);
  feed.start();
  await vi.advanceTimersByTimeAsync(0);
  socket().drop(4401);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(states).toEqual(["refused"]);
  expect(sockets.length).toBe(1);
});

test("a feed that was stopped goes on where it was", async () => {
  const stored: Message[] = [{ sequence: 1 }];
  const { feed, socket, sequences } = feedOn(stored);
  feed.start();
  await vi.advanceTimersByTimeAsync(0);
  feed.stop();
  stored.push({ sequence: 2 });
  socket().say({ sequence: 2 });
  expect(sequences()).toEqual([1]);
  feed.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(sequences()).toEqual([1, 2]);
});
