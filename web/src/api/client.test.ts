import { describe, expect, it, vi } from "vitest";
import { ApiClient, buildUrl, CSRF_HEADER, TENANT_HEADER } from "./client";
import { ApiError, readProblem, toApiError } from "./problem";

/** A client whose network answers with `response`, and the requests that it got. */
function clientWith(response: () => Response | Promise<Response>) {
  const requests: { url: string; init: RequestInit; headers: Headers }[] = [];
  const client = new ApiClient(async (url, init = {}) => {
    requests.push({ url: String(url), init, headers: new Headers(init.headers) });
    return response();
  });
  return { client, requests };
}

const json = (body: unknown, status = 200, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });

const problem = (status: number, code: string, more: object = {}) =>
  json({ type: "about:blank", title: "x", status, code, detail: `It is ${code}.`, ...more }, status);

describe("requests", () => {
  it("send the CSRF header with every change, and never with a read", async () => {
    const { client, requests } = clientWith(() => json({ items: [] }));
    await client.get("/api/v1/users");
    await client.post("/api/v1/users/tenants", { body: { name: "A", slug: "a" } });
    await client.patch("/api/v1/users/{user_id}", { path: { user_id: "u" }, body: { is_active: false } });
    await client.delete("/api/v1/sessions/current");
    expect(requests.map((request) => [request.init.method, request.headers.get(CSRF_HEADER)])).toEqual([
      ["GET", null],
      ["POST", "1"],
      ["PATCH", "1"],
      ["DELETE", "1"],
    ]);
  });

  it("send the session cookie to our own origin only", async () => {
    const { client, requests } = clientWith(() => json({}));
    await client.get("/api/v1/monitoring/overview");
    expect(requests[0]?.init.credentials).toBe("same-origin");
  });

  it("name the tenant once one is picked", async () => {
    const { client, requests } = clientWith(() => json({}));
    await client.get("/api/v1/monitoring/overview");
    client.tenant = "t-1";
    await client.get("/api/v1/monitoring/overview");
    expect(requests.map((request) => request.headers.get(TENANT_HEADER))).toEqual([null, "t-1"]);
  });

  it("carry the body as JSON, with null kept", async () => {
    const { client, requests } = clientWith(() => json({}));
    await client.patch("/api/v1/threats/incidents/{threat_id}", {
      path: { threat_id: "t" },
      body: { assigned_to: null },
    });
    expect(requests[0]?.init.body).toBe('{"assigned_to":null}');
    expect(requests[0]?.headers.get("Content-Type")).toBe("application/json");
  });

  it("give undefined for 204", async () => {
    const { client } = clientWith(() => new Response(null, { status: 204 }));
    await expect(client.delete("/api/v1/sessions/current")).resolves.toBeUndefined();
  });
});

describe("addresses", () => {
  it("escape what is put into the path", () => {
    expect(buildUrl("/a/{id}/b", { id: "x/../y?z" })).toBe("/a/x%2F..%2Fy%3Fz/b");
  });

  it("leave out what is absent and keep false and 0", () => {
    expect(buildUrl("/a", {}, { a: undefined, b: null, c: "", d: false, e: 0, f: "x y" })).toBe(
      "/a?d=false&e=0&f=x+y",
    );
  });
});

describe("refusals", () => {
  it("become an ApiError with the reason of every field", async () => {
    const errors = [
      { field: "new_password", message: "Too short." },
      { field: "new_password", message: "Known from a leak." },
    ];
    const { client } = clientWith(() => problem(422, "password_refused", { errors, request_id: "r-1" }));
    const refused = await client
      .post("/api/v1/users/me/password", { body: { current_password: "a", new_password: "b" } })
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ApiError);
    expect(refused).toMatchObject({ status: 422, code: "password_refused", requestId: "r-1", errors });
    expect((refused as ApiError).field("new_password")).toBe("Too short. Known from a leak.");
    expect((refused as ApiError).field("current_password")).toBeUndefined();
    expect((refused as ApiError).without(["new_password"])).toBeUndefined();
    expect((refused as ApiError).without(["other"])?.errors).toEqual(errors);
  });

  it("tell the application that the session has ended, but not on a wrong password", async () => {
    const onSignedOut = vi.fn();
    const ended = clientWith(() => problem(401, "unauthenticated"));
    ended.client.events = { onSignedOut };
    await expect(ended.client.get("/api/v1/users")).rejects.toMatchObject({ status: 401 });
    expect(onSignedOut).toHaveBeenCalledTimes(1);

    const wrong = clientWith(() => problem(401, "invalid_credentials"));
    wrong.client.events = { onSignedOut };
    await expect(
      wrong.client.post("/api/v1/sessions", { body: { username: "a", password: "b" } }),
    ).rejects.toThrow("invalid_credentials");
    expect(onSignedOut).toHaveBeenCalledTimes(1);
  });

  it("of a token that a proof has replaced in the meantime are tried once more", async () => {
    const onSignedOut = vi.fn();
    const answers = [problem(401, "unauthenticated"), json({ items: [] })];
    const crossing = clientWith(() => answers.shift() as Response);
    crossing.client.events = { onSignedOut, isSignedIn: () => true };
    await expect(crossing.client.get("/api/v1/users")).resolves.toEqual({ items: [] });
    expect(onSignedOut).not.toHaveBeenCalled();

    const ended = clientWith(() => problem(401, "unauthenticated"));
    ended.client.events = { onSignedOut, isSignedIn: () => true };
    await expect(ended.client.get("/api/v1/users")).rejects.toMatchObject({ status: 401 });
    expect([ended.requests.length, onSignedOut.mock.calls.length]).toEqual([2, 1]);
  });

  it("tell the application that the password has to be changed first", async () => {
    const onPasswordChangeRequired = vi.fn();
    const { client } = clientWith(() => problem(403, "password_change_required"));
    client.events = { onPasswordChangeRequired };
    await expect(client.get("/api/v1/users")).rejects.toMatchObject({ status: 403 });
    expect(onPasswordChangeRequired).toHaveBeenCalledOnce();
  });

  it("say so when the server cannot be reached", async () => {
    const { client } = clientWith(() => Promise.reject(new TypeError("fetch failed")));
    await expect(client.get("/api/v1/users")).rejects.toMatchObject({ status: 0, code: "unreachable" });
  });

  it("pass on that the caller itself has given up", async () => {
    const { client } = clientWith(() => Promise.reject(new DOMException("gone", "AbortError")));
    await expect(client.get("/api/v1/users")).rejects.toMatchObject({ name: "AbortError" });
  });

  it("are a sentence even when a proxy answered with a page of its own", async () => {
    const read = await readProblem(
      new Response("<html>Bad gateway</html>", { status: 502, statusText: "Bad Gateway" }),
    );
    expect(read).toMatchObject({
      status: 502,
      code: "unknown",
      message: "The server answered 502 Bad Gateway. Try again later.",
    });
  });

  it("keep how long to wait", async () => {
    const read = await readProblem(json({ code: "too_many", detail: "Wait." }, 429, { "Retry-After": "17" }));
    expect(read.retryAfter).toBe(17);
    expect((await readProblem(json({ code: "x", detail: "y" }, 429))).retryAfter).toBeUndefined();
  });

  it("wrap what the page itself threw", () => {
    expect(toApiError(new RangeError("odd"))).toMatchObject({
      status: 0,
      code: "client",
      message: "The page failed: odd. Reload it.",
    });
  });
});
