import { describe, expect, it } from "vitest";
import type { ChannelView, NotificationView, RouteView, SilenceView } from "../api/types";
import {
  answer,
  describeRoute,
  describeSilence,
  hasTemplates,
  leadsTo,
  listOf,
  outcome,
  takesTemplates,
} from "./notifications";

describe("notifications in words", () => {
  it("says where a channel leads to", () => {
    expect(leadsTo({ kind: "email", addresses: ["a@b.c", "d@e.f"] })).toBe("a@b.c, d@e.f");
    expect(leadsTo({ kind: "slack", host: "hooks.example.org" })).toBe("hooks.example.org");
    expect(leadsTo({ kind: "syslog", address: "udp://log:514", format: "cef" })).toBe("udp://log:514 (CEF)");
  });

  it("says what a route and a silence are about", () => {
    const route = {
      source: "incident",
      min_severity: "high",
      rules: ["miner"],
      tags: ["attack.impact"],
      agents: ["a"],
    } as unknown as RouteView;
    expect(describeRoute(route)).toEqual([
      "Incidents, high or worse",
      "Only miner",
      "Tagged attack.impact",
      "On 1 endpoint",
    ]);
    const silence = { rule: null, agent_id: "a", hostname: "web-1", max_severity: "low" } as SilenceView;
    expect(describeSilence(silence)).toEqual(["Every rule", "On web-1", "Up to low"]);
  });

  it("tells what became of a notification", () => {
    expect(outcome({ outcome: null } as NotificationView).word).toBe("Waiting");
    expect(outcome({ outcome: "expired" } as NotificationView).tone).toBe("critical");
    const attempt = { started_at: "", milliseconds: 1, is_delivered: true };
    expect(answer({ ...attempt, answer_code: 202 })).toBe("answered 202");
    expect(answer(attempt)).toBe("taken");
    expect(answer({ ...attempt, is_delivered: false, error: "no connection" })).toBe("no connection");
  });

  it("knows whose texts may be one's own", () => {
    const channel = (kind: string, templates: object) =>
      ({ settings: { kind }, templates }) as unknown as ChannelView;
    expect(takesTemplates(channel("slack", {}))).toBe(true);
    expect(takesTemplates(channel("webhook", {}))).toBe(false);
    expect(hasTemplates(channel("email", { subject: "x" }))).toBe(true);
    expect(hasTemplates(channel("email", {}))).toBe(false);
  });

  it("reads lists", () => {
    expect(listOf(" a, b\nc ,,")).toEqual(["a", "b", "c"]);
    expect(listOf("")).toEqual([]);
  });
});
