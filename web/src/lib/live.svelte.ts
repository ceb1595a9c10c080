/** The live stream: tells views that what they show has changed. */
import { api } from "../api/client";
import { readEvents } from "../api/sse";
import type { LiveEvent } from "../api/types";

type Status = "connecting" | "live" | "offline";
type Listener = { kinds: readonly string[]; id: string | undefined; notify: () => void };

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
/** A burst of changes loads a view once in this time. */
const CALM_MS = 1_000;

class Live {
  status = $state<Status>("connecting");
  #listeners = new Set<Listener>();
  #run: AbortController | undefined;

  /** Connects until `stop`; reconnects with growing pauses. */
  start(): void {
    this.stop();
    const run = new AbortController();
    this.#run = run;
    void this.#keep(run.signal);
  }

  stop(): void {
    this.#run?.abort();
    this.#run = undefined;
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #keep(signal: AbortSignal): Promise<void> {
    let delay = FIRST_DELAY_MS;
    let reconnected = false;
    while (!signal.aborted) {
      try {
        const response = await api.send("GET", "/api/v1/monitoring/events", {
          signal,
          accept: "text/event-stream",
        });
        this.status = "live";
        delay = FIRST_DELAY_MS;
        // Whatever happened while the stream was down was not told: everybody looks again.
        if (reconnected) for (const listener of this.#listeners) listener.notify();
        reconnected = true;
        await readEvents(response, (data) => this.#tell(data));
      } catch {
        // The pause below applies to a refused stream as to a broken one.
      }
      if (signal.aborted) return;
      this.status = "offline";
      await pause(delay * (0.75 + Math.random() / 2), signal);
      delay = Math.min(delay * 2, LONGEST_DELAY_MS);
    }
  }

  #tell(data: string): void {
    const event = parseEvent(data);
    if (!event) return;
    for (const listener of this.#listeners) {
      if (listener.kinds.includes(event.kind) && (!listener.id || listener.id === event.id))
        listener.notify();
    }
  }
}

export const live = new Live();

/**
 * Calls `reload` when something of these kinds changes; `id` narrows it to one object. A burst of changes calls it once per
 * `everyMs`, and a page that nobody looks at waits until somebody does.
 */
export function onLive(
  kinds: readonly string[],
  reload: () => unknown,
  { id, everyMs = CALM_MS }: { id?: string; everyMs?: number } = {},
): void {
  $effect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let missed = false;
    const due = () => {
      timer = undefined;
      if (document.hidden) missed = true;
      else reload();
    };
    const notify = () => {
      timer ??= setTimeout(due, everyMs);
    };
    const seen = () => {
      if (!missed || document.hidden) return;
      missed = false;
      reload();
    };
    document.addEventListener("visibilitychange", seen);
    const leave = live.listen({ kinds, id, notify });
    return () => {
      leave();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  });
}

export function parseEvent(data: string): LiveEvent | undefined {
  try {
    const event: unknown = JSON.parse(data);
    const fits = typeof event === "object" && event !== null && "kind" in event && "id" in event;
    return fits ? (event as LiveEvent) : undefined;
  } catch {
    return undefined;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
