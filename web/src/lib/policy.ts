/** A tenant's policy for passwords in words. */
import type { PasswordPolicyView } from "../api/types";
import { plural } from "./format";

type Classes = Pick<
  PasswordPolicyView,
  "min_length" | "require_uppercase" | "require_lowercase" | "require_numbers" | "require_special_chars"
>;

/** What a new password needs, as one sentence. */
export function describeRules(policy: Classes): string {
  const needed = [
    policy.require_uppercase && "an upper-case letter",
    policy.require_lowercase && "a lower-case letter",
    policy.require_numbers && "a digit",
    policy.require_special_chars && "a character that is neither letter nor digit",
  ].filter((one): one is string => Boolean(one));
  const length = `At least ${plural(policy.min_length, "character")}`;
  if (needed.length === 0) return `${length}. Several words that nobody would guess together are good.`;
  const last = needed.at(-1);
  const before = needed.slice(0, -1);
  return `${length}, with ${before.length > 0 ? `${before.join(", ")} and ${last}` : last}.`;
}

/** The whole days until `at`, 0 or more. */
export function daysUntil(at: string, now: number): number {
  return Math.max(0, Math.ceil((Date.parse(at) - now) / 86_400_000));
}
