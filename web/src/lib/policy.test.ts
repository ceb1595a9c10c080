import { describe, expect, it } from "vitest";
import { daysUntil, describeRules } from "./policy";

const rules = (classes: boolean[], min_length = 12) =>
  describeRules({
    min_length,
    require_uppercase: classes[0] ?? false,
    require_lowercase: classes[1] ?? false,
    require_numbers: classes[2] ?? false,
    require_special_chars: classes[3] ?? false,
  });

describe("a policy in words", () => {
  it("names every class", () => {
    expect(rules([true, true, true, true])).toBe(
      "At least 12 characters, with an upper-case letter, a lower-case letter, a digit and a character that is neither letter nor digit.",
    );
    expect(rules([false, false, true])).toBe("At least 12 characters, with a digit.");
    expect(rules([], 15)).toContain("At least 15 characters. Several words");
  });

  it("counts days up to the end", () => {
    const now = Date.parse("2030-01-01T00:00:00Z");
    expect(daysUntil("2030-01-03T01:00:00Z", now)).toBe(3);
    expect(daysUntil("2030-01-02T00:00:00Z", now)).toBe(1);
    expect(daysUntil("2029-01-01T00:00:00Z", now)).toBe(0);
  });
});
