/** The typed HTTP client: paths, parameters, bodies and answers come from the OpenAPI document. */
import { ApiError, readProblem, unreachable } from "./problem";
import type { paths } from "./schema";

type Method = "get" | "post" | "put" | "patch" | "delete";

/** Every path that has the method. */
export type PathWith<M extends Method> = {
  [P in keyof paths]: [paths[P][M]] extends [{ responses: unknown }] ? P : never;
}[keyof paths];

type Operation<P extends keyof paths, M extends Method> = Exclude<paths[P][M], undefined>;
type Json<C> = C extends { content: { "application/json": infer B } } ? B : undefined;
type Answers<O> = O extends { responses: infer R } ? R : never;
type Success<R> = { [S in keyof R]: S extends 200 | 201 | 204 ? Json<R[S]> : never }[keyof R];
type Query<O> = O extends { parameters: { query?: infer Q } } ? Q : never;
/** The option `K` of type `V`: required when there is such a thing, else forbidden. */
type Part<K extends string, V> = [V] extends [never]
  ? Partial<Record<K, never>>
  : [V] extends [object]
    ? Record<K, V>
    : Partial<Record<K, never>>;
type PathParams<O> = O extends { parameters: { path: infer V } } ? V : undefined;
type Body<O> = O extends { requestBody?: infer B } ? Json<Exclude<B, undefined>> : undefined;

/** What a request may carry. */
export type Options<P extends keyof paths, M extends Method> = {
  query?: Query<Operation<P, M>>;
  signal?: AbortSignal;
  /** Proves who calls, in place of the session. */
  bearer?: string;
} & Part<"path", PathParams<Operation<P, M>>> &
  Part<"body", Body<Operation<P, M>>>;

type Arguments<P extends keyof paths, M extends Method> =
  Record<never, never> extends Options<P, M> ? [options?: Options<P, M>] : [options: Options<P, M>];

/** The answer of an operation. */
export type Answer<P extends keyof paths, M extends Method> = Success<Answers<Operation<P, M>>>;

/** The header that a cross-site form cannot send; the server wants it with every change made by cookie. */
export const CSRF_HEADER = "X-SecureGuard-CSRF";
/** Picks the tenant that a request works in. */
export const TENANT_HEADER = "X-SecureGuard-Tenant";

/** Milliseconds after which a request is tried with the cookie that a proof in the meantime has put in the place of the one it went with. */
const RENEWAL_MS = 250;

/** Refusals of a sign-in, which end no session. */
const REFUSED_SIGN_IN = ["invalid_credentials", "second_factor_refused"];

/** What the rest of the console wants to know of every refused request. */
export interface ClientEvents {
  /** Whether there is a session, as far as the console knows. */
  isSignedIn?: () => boolean;
  /** 401: the session has ended. */
  onSignedOut?: () => void;
  /** 403 `password_change_required`. */
  onPasswordChangeRequired?: () => void;
  /** 403 `verification_required`: asks who is there; true when that was proved and the request is worth another try. */
  onVerificationRequired?: () => Promise<boolean>;
}

/** One client for the application; tests make their own. */
export class ApiClient {
  tenant: string | undefined;
  events: ClientEvents = {};
  readonly #fetch: typeof fetch;

  constructor(fetcher: typeof fetch = (...args) => fetch(...args)) {
    this.#fetch = fetcher;
  }

  get<P extends PathWith<"get">>(path: P, ...args: Arguments<P, "get">): Promise<Answer<P, "get">> {
    return this.#call("GET", path, args[0]);
  }
  post<P extends PathWith<"post">>(path: P, ...args: Arguments<P, "post">): Promise<Answer<P, "post">> {
    return this.#call("POST", path, args[0]);
  }
  put<P extends PathWith<"put">>(path: P, ...args: Arguments<P, "put">): Promise<Answer<P, "put">> {
    return this.#call("PUT", path, args[0]);
  }
  patch<P extends PathWith<"patch">>(path: P, ...args: Arguments<P, "patch">): Promise<Answer<P, "patch">> {
    return this.#call("PATCH", path, args[0]);
  }
  delete<P extends PathWith<"delete">>(
    path: P,
    ...args: Arguments<P, "delete">
  ): Promise<Answer<P, "delete">> {
    return this.#call("DELETE", path, args[0]);
  }

  /**
   * Sends a request and answers the raw response; throws `ApiError` for everything but success. A request that crosses with a proof of who is
   * there, in this tab or another, goes with a token that the proof has voided: it is sent once more, since a 401 has done nothing.
   */
  async send(method: string, url: string, init: RawOptions = {}): Promise<Response> {
    const response = await this.#request(method, url, init);
    const mayBeRenewed = response.status === 401 && !init.bearer && this.events.isSignedIn?.();
    if (!mayBeRenewed) return this.#judge(response, init);
    const problem = await readProblem(response.clone());
    if (REFUSED_SIGN_IN.includes(problem.code)) return this.#judge(response, init);
    await new Promise((resolve) => setTimeout(resolve, RENEWAL_MS));
    return this.#judge(await this.#request(method, url, init), init);
  }

  async #request(method: string, url: string, init: RawOptions): Promise<Response> {
    const headers: Record<string, string> = { Accept: init.accept ?? "application/json" };
    if (method !== "GET") headers[CSRF_HEADER] = "1";
    if (this.tenant) headers[TENANT_HEADER] = this.tenant;
    if (init.bearer) headers.Authorization = `Bearer ${init.bearer}`;
    if (init.body !== undefined) headers["Content-Type"] = "application/json";
    try {
      return await this.#fetch(url, {
        method,
        headers,
        credentials: "same-origin",
        cache: "no-store",
        body: init.body === undefined ? undefined : JSON.stringify(init.body),
        signal: init.signal,
      });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw unreachable();
    }
  }

  /** Passes success on and tells the console of what concerns it. */
  async #judge(response: Response, init: RawOptions): Promise<Response> {
    if (response.ok) return response;
    const problem = await readProblem(response);
    if (problem.status === 401 && !init.bearer && !REFUSED_SIGN_IN.includes(problem.code))
      this.events.onSignedOut?.();
    if (problem.code === "password_change_required") this.events.onPasswordChangeRequired?.();
    throw problem;
  }

  /** Sends a request, once more after somebody has proved who they are where that is asked for. */
  async #sendVerified(method: string, url: string, options: RequestOptions): Promise<Response> {
    try {
      return await this.send(method, url, options);
    } catch (error) {
      const asked = error instanceof ApiError && error.code === "verification_required";
      if (!asked || !(await this.events.onVerificationRequired?.())) throw error;
      return this.send(method, url, options);
    }
  }

  async #call<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.#sendVerified(method, buildUrl(path, options.path, options.query), options);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }
}

interface RawOptions {
  body?: unknown;
  signal?: AbortSignal;
  accept?: string;
  bearer?: string;
}

interface RequestOptions {
  path?: object;
  query?: object;
  body?: unknown;
  signal?: AbortSignal;
  bearer?: string;
}

/** Fills `{placeholders}` and appends the query; absent, null and empty values are left out. */
export function buildUrl(path: string, params: object = {}, query: object = {}): string {
  const values = new Map<string, unknown>(Object.entries(params));
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(values.get(name))),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${filled}?${text}` : filled;
}

export const api = new ApiClient();
