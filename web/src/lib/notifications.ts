/** Channels, routes and notifications in words. */
import type {
  ChannelKind,
  ChannelSettings,
  ChannelView,
  DeliveryAttempt,
  NotificationView,
  RouteView,
  SilenceView,
} from "../api/types";

export const CHANNEL_KINDS: Record<ChannelKind, string> = {
  email: "E-mail",
  slack: "Slack or compatible",
  webhook: "Webhook, signed",
  syslog: "Syslog",
  pagerduty: "PagerDuty or compatible",
};

/** Where a channel leads to, as far as that may be shown. */
export function leadsTo(settings: ChannelSettings): string {
  switch (settings.kind) {
    case "email":
      return settings.addresses.join(", ");
    case "syslog":
      return `${settings.address} (${settings.format === "cef" ? "CEF" : "JSON"})`;
    default:
      return settings.host;
  }
}

/** Whether people read what this channel is sent, so that it may be in their own words. */
export function takesTemplates(channel: ChannelView): boolean {
  return channel.settings.kind === "email" || channel.settings.kind === "slack";
}

export function hasTemplates(channel: ChannelView): boolean {
  return channel.templates.subject != null || channel.templates.body != null;
}

const CAUSES: Record<NotificationView["cause"], string> = {
  incident_opened: "Incident opened",
  incident_raised: "Incident raised",
  incident_waiting: "Nobody took it up",
  incident_closed: "Incident closed",
  incident_reopened: "Incident open again",
  alert_firing: "Alert firing",
  alert_waiting: "Alert goes on",
  alert_resolved: "Alert over",
  digest: "Digest",
  test: "Test",
};

export function cause(of: NotificationView): string {
  return CAUSES[of.cause];
}

/** What became of it: a tone and a word. */
export function outcome(of: NotificationView): { tone: "ok" | "low" | "medium" | "critical"; word: string } {
  switch (of.outcome) {
    case "sent":
      return { tone: "ok", word: "Sent" };
    case "refused":
      return { tone: "critical", word: "Refused" };
    case "expired":
      return { tone: "critical", word: "Given up" };
    case "silenced":
      return { tone: "low", word: "Muted" };
    case "merged":
      return { tone: "low", word: "In a digest" };
    default:
      return { tone: "medium", word: "Waiting" };
  }
}

/** The receiver's answer in one line. */
export function answer(attempt: DeliveryAttempt): string {
  if (attempt.error) return attempt.error;
  return attempt.answer_code ? `answered ${attempt.answer_code}` : "taken";
}

/** What a route is about, line by line. */
export function describeRoute(route: RouteView): string[] {
  const lines = [`${route.source === "incident" ? "Incidents" : "Alerts"}, ${route.min_severity} or worse`];
  if (route.rules.length > 0) lines.push(`Only ${route.rules.join(", ")}`);
  if (route.tags.length > 0) lines.push(`Tagged ${route.tags.join(", ")}`);
  if (route.agents.length > 0) {
    lines.push(`On ${route.agents.length} ${route.agents.length === 1 ? "endpoint" : "endpoints"}`);
  }
  return lines;
}

/** What a silence mutes, line by line. */
export function describeSilence(silence: SilenceView): string[] {
  const lines = [silence.rule ? `Rule ${silence.rule}` : "Every rule"];
  if (silence.agent_id) lines.push(`On ${silence.hostname ?? silence.agent_id}`);
  if (silence.max_severity) lines.push(`Up to ${silence.max_severity}`);
  return lines;
}

/** What is separated by commas or white space. */
export function listOf(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}
