import { describe, expect, it } from "vitest";
import {
  bytes,
  bytesPerSecond,
  dateTime,
  percent,
  plural,
  relativeTime,
  sentence,
  share,
  timeOfDay,
  utcText,
  words,
} from "./format";

const NOON = Date.UTC(2026, 10, 23, 12, 0, 0);

describe("times", () => {
  it("are told from now, in whole units", () => {
    const ago = (seconds: number) => relativeTime(NOON - seconds * 1_000, NOON);
    expect(ago(0)).toBe("now");
    expect(ago(59)).toBe("now");
    expect(ago(-30)).toBe("now");
    expect(ago(60)).toBe("1 min. ago");
    expect(ago(3_599)).toBe("59 min. ago");
    expect(ago(3_600)).toBe("1 hr. ago");
    expect(ago(86_400 * 3)).toBe("3 days ago");
    expect(ago(-7_200)).toBe("in 2 hr.");
  });

  it("are written the same everywhere", () => {
    expect(utcText("2026-11-23T09:05:07.123456Z")).toBe("2026-11-23 09:05:07 UTC");
    expect(dateTime(NOON, "Europe/Berlin")).toBe("2026-11-23 13:00:00");
    expect(dateTime("2026-11-22T23:30:00Z", "Europe/Berlin")).toBe("2026-11-23 00:30:00");
    expect(timeOfDay(Date.UTC(2026, 0, 1), "UTC")).toBe("00:00");
  });
});

describe("numbers", () => {
  it("are percentages, or a dash when nothing was measured", () => {
    expect(percent(12.345)).toBe("12.3 %");
    expect(percent(0, 0)).toBe("0 %");
    expect(percent(null)).toBe("–");
    expect(percent(undefined)).toBe("–");
    expect(share(0.856)).toBe("86 %");
  });

  it("are sizes in powers of 1000", () => {
    expect(bytes(0)).toBe("0 B");
    expect(bytes(999)).toBe("999 B");
    expect(bytes(1_000)).toBe("1.0 kB");
    expect(bytes(999_499)).toBe("999 kB");
    expect(bytes(999_500)).toBe("1.0 MB");
    expect(bytes(1_500_000_000)).toBe("1.5 GB");
    expect(bytesPerSecond(2_048)).toBe("2.0 kB/s");
    expect(bytesPerSecond(null)).toBe("–");
  });

  it("agree with their noun", () => {
    expect(plural(1, "finding")).toBe("1 finding");
    expect(plural(1_200, "finding")).toBe("1,200 findings");
    expect(plural(2, "entry", "entries")).toBe("2 entries");
  });
});

it("messages of the server read as sentences", () => {
  expect(sentence("wait as long as Retry-After says")).toBe("Wait as long as Retry-After says.");
  expect(sentence("It is there.")).toBe("It is there.");
  expect(sentence("see `errors`")).toBe("See `errors`.");
  expect(sentence("")).toBe("");
});

it("words of the wire read as words", () => {
  expect(words("false_positive")).toBe("False positive");
  expect(words("api_keys_own")).toBe("API keys own");
  expect(words("yara")).toBe("YARA");
  expect(words("")).toBe("");
});
