import { sentence } from "../lib/format";
import type { FieldError, Problem } from "./types";

/** Why a request failed, in one shape for every cause. */
export class ApiError extends Error {
  /** The HTTP status; 0 when no answer came. */
  readonly status: number;
  /** The stable word of the problem, such as `not_found`. */
  readonly code: string;
  readonly errors: FieldError[];
  readonly requestId: string | undefined;
  /** Seconds to wait before the next attempt, where the server said so. */
  readonly retryAfter: number | undefined;

  readonly #problem: Pick<Problem, "status" | "code" | "detail"> & Partial<Problem>;

  constructor(problem: Pick<Problem, "status" | "code" | "detail"> & Partial<Problem>, retryAfter?: number) {
    super(sentence(problem.detail));
    this.#problem = problem;
    this.name = "ApiError";
    this.status = problem.status;
    this.code = problem.code;
    this.errors = problem.errors ?? [];
    this.requestId = problem.request_id ?? undefined;
    this.retryAfter = retryAfter;
  }

  /** What is wrong with one field, or undefined. */
  field(name: string): string | undefined {
    const messages = this.errors.filter((error) => error.field === name).map((error) => error.message);
    return messages.length > 0 ? messages.map(sentence).join(" ") : undefined;
  }

  /** The same without what is said of these fields; undefined when nothing is left to say. */
  without(fields: readonly string[]): ApiError | undefined {
    if (this.errors.length === 0) return this;
    const errors = this.errors.filter((error) => !fields.includes(error.field));
    return errors.length === 0 ? undefined : new ApiError({ ...this.#problem, errors }, this.retryAfter);
  }
}

/** No answer: the server is down, or the network is. */
export function unreachable(): ApiError {
  return new ApiError({
    status: 0,
    code: "unreachable",
    detail:
      "The server cannot be reached. Check that it runs and that this computer is connected, then try again.",
  });
}

/** Reads the problem of a refused answer; one that is not the server's own (a proxy's page) still becomes a sentence. */
export async function readProblem(response: Response): Promise<ApiError> {
  const retryAfter = parseRetryAfter(response.headers.get("retry-after"));
  try {
    const body: unknown = await response.json();
    if (isProblem(body)) return new ApiError({ ...body, status: response.status }, retryAfter);
  } catch {
    // Not JSON: the sentence below says what is known.
  }
  const detail = `The server answered ${response.status} ${response.statusText}`.trimEnd();
  return new ApiError(
    { status: response.status, code: "unknown", detail: `${detail}. Try again later.` },
    retryAfter,
  );
}

/** Any thrown value as an `ApiError`. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ApiError({ status: 0, code: "client", detail: `The page failed: ${detail}. Reload it.` });
}

function parseRetryAfter(value: string | null): number | undefined {
  const seconds = Number(value);
  return value !== null && value.trim() !== "" && Number.isFinite(seconds) && seconds >= 0
    ? Math.ceil(seconds)
    : undefined;
}

function isProblem(body: unknown): body is Problem {
  return (
    typeof body === "object" &&
    body !== null &&
    "code" in body &&
    "detail" in body &&
    typeof body.detail === "string"
  );
}
