import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api, TENANT_HEADER } from "../api/client";
import { session } from "./session.svelte";

const CURRENT = {
  user_id: "u",
  username: "ana",
  role: "manager",
  permissions: ["incidents_read", "api_keys_own"],
  tenant: { tenant_id: "home", name: "Home" },
  tenants: [],
  must_change_password: false,
};

type Reply = [status: number, body?: object];

/** Answers each request by its method and path; says which were made. */
function serve(replies: Record<string, Reply | ((headers: Headers) => Reply)>): string[] {
  const made: string[] = [];
  vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
    const name = `${init.method} ${url.replace("/api/v1", "")}`;
    made.push(name);
    const reply = replies[name] ?? [404, { code: "not_found", detail: "not there" }];
    const [status, body] = typeof reply === "function" ? reply(new Headers(init.headers)) : reply;
    return new Response(body && JSON.stringify(body), { status });
  });
  return made;
}

const UNAUTHENTICATED: Reply = [401, { code: "unauthenticated", detail: "sign in" }];

beforeEach(async () => {
  serve({ "POST /sessions/current/end": [200, { provider_sign_out_url: null }] });
  await session.signOut();
});
afterEach(() => vi.unstubAllGlobals());

describe("the session", () => {
  it("is signed out without a cookie, and says nothing about it", async () => {
    serve({ "GET /sessions/current": UNAUTHENTICATED });
    await session.load();
    expect([session.state, session.notice]).toEqual(["signed_out", ""]);
  });

  it("is there after signing in, with what the caller may do", async () => {
    const made = serve({ "POST /sessions": [201, {}], "GET /sessions/current": [200, CURRENT] });
    await session.signIn("ana", "secret");
    expect(made).toEqual(["POST /sessions", "GET /sessions/current"]);
    expect(session.state).toBe("signed_in");
    expect(session.may("incidents_read")).toBe(true);
    expect(session.may("users_manage")).toBe(false);
    expect(session.may(["api_keys_manage", "api_keys_own"])).toBe(true);
    expect(session.may(undefined)).toBe(true);
  });

  it("stays signed out after a wrong password", async () => {
    serve({ "POST /sessions": [401, { code: "invalid_credentials", detail: "wrong" }] });
    await expect(session.signIn("ana", "wrong")).rejects.toMatchObject({ status: 401 });
    expect(session.state).toBe("signed_out");
  });

  it("that ends by itself says so", async () => {
    serve({ "GET /sessions/current": [200, CURRENT], "GET /users": UNAUTHENTICATED });
    await session.load();
    await expect(api.get("/api/v1/users")).rejects.toMatchObject({ status: 401 });
    expect(session.state).toBe("signed_out");
    expect(session.notice).toContain("ended");
  });

  it("turns to the password when the server asks for a change", async () => {
    serve({
      "GET /sessions/current": [200, CURRENT],
      "GET /users": [403, { code: "password_change_required", detail: "change it" }],
    });
    await session.load();
    await expect(api.get("/api/v1/users")).rejects.toMatchObject({ status: 403 });
    expect(session.current?.must_change_password).toBe(true);
  });

  it("that the server has forgotten can be signed out of all the same", async () => {
    serve({ "GET /sessions/current": [200, CURRENT], "POST /sessions/current/end": UNAUTHENTICATED });
    await session.load();
    await session.signOut();
    expect([session.state, session.notice]).toEqual(["signed_out", ""]);
  });

  it("goes on to the provider's own end where it has one", async () => {
    const assign = vi.fn();
    vi.stubGlobal("location", { assign });
    serve({
      "GET /sessions/current": [200, CURRENT],
      "POST /sessions/current/end": [200, { provider_sign_out_url: "https://login.example.org/end" }],
    });
    await session.load();
    await session.signOut();
    expect(assign).toHaveBeenCalledWith("https://login.example.org/end");
  });

  it("stays when the server could not be told", async () => {
    serve({
      "GET /sessions/current": [200, CURRENT],
      "POST /sessions/current/end": [503, { code: "unavailable", detail: "later" }],
    });
    await session.load();
    await expect(session.signOut()).rejects.toMatchObject({ status: 503 });
    expect(session.state).toBe("signed_in");
  });

  it("falls back to the home tenant when the picked one is gone", async () => {
    serve({
      "GET /sessions/current": (headers) =>
        headers.get(TENANT_HEADER) === "gone" ? [404, { code: "not_found", detail: "no" }] : [200, CURRENT],
    });
    await session.switchTenant("gone");
    expect(session.state).toBe("signed_in");
    expect(api.tenant).toBeUndefined();
  });

  it("says why it is not known", async () => {
    serve({ "GET /sessions/current": [503, { code: "unavailable", detail: "later" }] });
    await session.load();
    expect(session.state).toBe("failed");
    expect(session.error?.message).toBe("Later.");
  });
});
