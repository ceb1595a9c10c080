import { describe, expect, it } from "vitest";
import { ApiError } from "../api/problem";
import { type FetchPage, PagedList, Resource } from "./resource.svelte";

/** A promise that the test settles. */
function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe("a resource", () => {
  it("keeps what it has when loading anew fails, and says why", async () => {
    let fails = false;
    const one = new Resource(async () => {
      if (fails) throw new ApiError({ status: 500, code: "internal", detail: "broken" });
      return 1;
    });
    await one.reload();
    fails = true;
    await one.reload();
    expect([one.data, one.error?.code, one.loading]).toEqual([1, "internal", false]);
    fails = false;
    await one.reload();
    expect(one.error).toBeUndefined();
  });

  it("never shows an older answer over a newer one", async () => {
    const answers = [deferred<string>(), deferred<string>()];
    let asked = 0;
    const one = new Resource(() => answers[asked++]?.promise ?? Promise.reject(new Error("asked too often")));
    const first = one.reload();
    const second = one.reload();
    answers[1]?.resolve("new");
    await second;
    answers[0]?.resolve("old");
    await first;
    expect(one.data).toBe("new");
  });

  it("tells the request that it replaces to stop", async () => {
    const signals: AbortSignal[] = [];
    const one = new Resource(async (signal) => signals.push(signal));
    const first = one.reload();
    await one.reload();
    await first;
    expect(signals.map((signal) => signal.aborted)).toEqual([true, false]);
  });
});

describe("a paged list", () => {
  const rows = Array.from({ length: 130 }, (_, index) => index);
  const asked: { limit: number; cursor?: string }[] = [];
  const fetchPage: FetchPage<number> = async ({ limit, cursor }) => {
    asked.push({ limit, cursor });
    const from = Number(cursor ?? 0);
    const next = from + limit;
    return { items: rows.slice(from, next), next_cursor: next < rows.length ? String(next) : null };
  };

  it("grows to its end, each row once, and reloads as much as it shows", async () => {
    const list = new PagedList(fetchPage, 50);
    await list.reload();
    await list.more();
    await list.more();
    await list.more();
    expect(list.data?.items).toEqual(rows);
    expect(asked).toHaveLength(3);
    await list.reload();
    expect(asked.at(-1)).toEqual({ limit: 130, cursor: undefined });
    expect(list.data?.items).toEqual(rows);
  });

  it("drops a page that continues a list which was replaced meanwhile", async () => {
    const page = deferred<{ items: string[] }>();
    let cursors = 0;
    const list = new PagedList<string>(({ cursor }) => {
      if (cursor) return page.promise;
      cursors += 1;
      return Promise.resolve({ items: [`first of load ${cursors}`], next_cursor: "c" });
    }, 1);
    await list.reload();
    const more = list.more();
    await list.reload();
    page.resolve({ items: ["second of load 1"] });
    await more;
    expect(list.data?.items).toEqual(["first of load 2"]);
    expect(list.loadingMore).toBe(false);
  });
});
