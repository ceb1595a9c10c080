/** Who is signed in, where, and what they may do. */
import { api } from "../api/client";
import { ApiError, toApiError } from "../api/problem";
import type { CurrentSession, Permission, SignInChallenge } from "../api/types";
import { verification } from "./verification.svelte";

const TENANT_KEY = "secureguard.tenant";

type State = "loading" | "signed_out" | "signed_in" | "failed";

class Session {
  state = $state<State>("loading");
  current = $state.raw<CurrentSession | undefined>();
  error = $state.raw<ApiError | undefined>();
  /** Said on the sign-in page after a session ended by itself. */
  notice = $state("");

  constructor() {
    api.events = {
      isSignedIn: () => this.state === "signed_in",
      onSignedOut: () =>
        this.#leave(this.state === "signed_in" ? "Your session has ended. Sign in again." : ""),
      onPasswordChangeRequired: () => {
        if (this.current) this.current = { ...this.current, must_change_password: true };
      },
      onVerificationRequired: () => verification.ask(),
    };
  }

  /** Asks the server who the cookie belongs to. */
  async load(): Promise<void> {
    api.tenant ??= remembered();
    try {
      this.current = await api.get("/api/v1/sessions/current");
      this.error = undefined;
      this.notice = "";
      this.state = "signed_in";
    } catch (error) {
      const problem = toApiError(error);
      if (problem.status === 401) return;
      if (api.tenant && (problem.status === 403 || problem.status === 404)) {
        // The remembered tenant is no longer ours: fall back to the home tenant.
        this.#rememberTenant(undefined);
        return this.load();
      }
      this.error = problem;
      this.state = "failed";
    }
  }

  /** Signs in; answers what the sign-in waits for where a password is not enough. */
  async signIn(username: string, password: string): Promise<SignInChallenge | undefined> {
    const answer = await api.post("/api/v1/sessions", { body: { username, password } });
    if ("challenge" in answer) return answer;
    await this.load();
  }

  async signOut(): Promise<void> {
    let elsewhere: string | undefined;
    try {
      const ended = await api.post("/api/v1/sessions/current/end");
      elsewhere = ended.provider_sign_out_url ?? undefined;
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 401)) throw error;
    }
    this.#rememberTenant(undefined);
    this.#leave("");
    // The provider ends its own session and sends the browser back.
    if (elsewhere) location.assign(elsewhere);
  }

  /** Works in another of the caller's tenants from now on. */
  async switchTenant(tenantId: string): Promise<void> {
    this.#rememberTenant(tenantId);
    await this.load();
  }

  may(permission: Permission | Permission[] | undefined): boolean {
    if (permission === undefined) return true;
    const wanted = Array.isArray(permission) ? permission : [permission];
    return wanted.some((one) => this.current?.permissions.includes(one));
  }

  #leave(notice: string): void {
    this.current = undefined;
    this.notice = notice;
    this.state = "signed_out";
  }

  #rememberTenant(tenantId: string | undefined): void {
    api.tenant = tenantId;
    try {
      if (tenantId) sessionStorage.setItem(TENANT_KEY, tenantId);
      else sessionStorage.removeItem(TENANT_KEY);
    } catch {
      // Without storage the choice lasts until the page is reloaded.
    }
  }
}

export const session = new Session();

function remembered(): string | undefined {
  try {
    return sessionStorage.getItem(TENANT_KEY) ?? undefined;
  } catch {
    return undefined;
  }
}
