/** Data that a view loads, shows while it loads anew, and says when it could not. */
import { untrack } from "svelte";
import { type ApiError, toApiError } from "../api/problem";
import type { Page } from "../api/types";

export class Resource<T> {
  data = $state.raw<T | undefined>();
  error = $state.raw<ApiError | undefined>();
  loading = $state(true);
  protected readonly fetch: (signal: AbortSignal) => Promise<T>;
  #running: AbortController | undefined;

  constructor(fetch: (signal: AbortSignal) => Promise<T>) {
    this.fetch = fetch;
  }

  protected load(signal: AbortSignal): Promise<T> {
    return this.fetch(signal);
  }

  /** Loads anew; what is shown stays until the answer is there. A later call replaces an earlier one. */
  reload = async (): Promise<void> => {
    this.#running?.abort();
    const run = new AbortController();
    this.#running = run;
    this.loading = true;
    try {
      const data = await this.load(run.signal);
      if (run.signal.aborted) return;
      this.data = data;
      this.error = undefined;
    } catch (error) {
      if (run.signal.aborted) return;
      this.error = toApiError(error);
    }
    this.loading = false;
  };

  stop = (): void => this.#running?.abort();
}

/** A resource of the calling component: loads at once, and again whenever the reactive values read by `load` change. */
export function resource<T>(load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const made = new Resource(load);
  $effect(() => {
    void made.reload();
    return () => untrack(made.stop);
  });
  return made;
}

/** A list that grows by pages. */
export class PagedList<T> extends Resource<Page<T>> {
  loadingMore = $state(false);
  #fetchPage: FetchPage<T>;

  readonly #size: number;

  constructor(fetchPage: FetchPage<T>, size: number) {
    super((signal) => fetchPage({ limit: size, signal }));
    this.#fetchPage = fetchPage;
    this.#size = size;
  }

  /** Brings back as many rows as are shown (500 at most), so that nothing jumps under the reader. */
  protected override load(signal: AbortSignal): Promise<Page<T>> {
    const shown = untrack(() => this.data?.items.length ?? 0);
    return this.#fetchPage({ limit: Math.min(Math.max(this.#size, shown), LARGEST_PAGE), signal });
  }

  more = async (): Promise<void> => {
    const before = this.data;
    if (!before?.next_cursor || this.loadingMore) return;
    this.loadingMore = true;
    try {
      const page = await this.#fetchPage({ limit: this.#size, cursor: before.next_cursor });
      // A reload in between has replaced the list that this page continues.
      if (this.data === before) this.data = { ...page, items: [...before.items, ...page.items] };
    } catch (error) {
      this.error = toApiError(error);
    }
    this.loadingMore = false;
  };
}

const PAGE_SIZE = 50;
const LARGEST_PAGE = 500;
export type FetchPage<T> = (page: {
  limit: number;
  cursor?: string;
  signal?: AbortSignal;
}) => Promise<Page<T>>;

/** A paged list of the calling component; see `resource`. */
export function pagedList<T>(fetchPage: FetchPage<T>, size = PAGE_SIZE): PagedList<T> {
  const made = new PagedList(fetchPage, size);
  $effect(() => {
    void made.reload();
    return () => untrack(made.stop);
  });
  return made;
}
