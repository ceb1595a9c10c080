/** Every page of the console: its address, its name, and what it takes to see it. */
import type { Permission } from "../api/types";
import type { IconName } from "../lib/Icon.svelte";
import type { Route } from "../lib/router.svelte";

export const ROUTES: readonly Route[] = [
  {
    pattern: "/",
    title: "Overview",
    permission: "incidents_read",
    load: () => import("./monitoring/Overview.svelte"),
  },
  {
    pattern: "/threats",
    title: "Incidents",
    permission: "incidents_read",
    load: () => import("./threats/IncidentList.svelte"),
  },
  {
    pattern: "/threats/rules",
    title: "Rules",
    permission: "rules_read",
    load: () => import("./threats/RuleList.svelte"),
  },
  {
    pattern: "/threats/rules/new",
    title: "Add a rule",
    permission: "rules_manage",
    load: () => import("./threats/RuleCreate.svelte"),
  },
  {
    pattern: "/threats/rules/placeholders",
    title: "Placeholders",
    permission: "rules_read",
    load: () => import("./threats/PlaceholderList.svelte"),
  },
  {
    pattern: "/threats/rules/:ruleId",
    title: "Rule",
    permission: "rules_read",
    load: () => import("./threats/RulePage.svelte"),
  },
  {
    pattern: "/threats/exceptions",
    title: "Exceptions",
    permission: "rules_read",
    load: () => import("./threats/ExceptionList.svelte"),
  },
  {
    pattern: "/threats/:threatId",
    title: "Incident",
    permission: "incidents_read",
    load: () => import("./threats/IncidentDetail.svelte"),
  },
  {
    pattern: "/agents",
    title: "Endpoints",
    permission: "endpoints_read",
    load: () => import("./agents/EndpointList.svelte"),
  },
  {
    pattern: "/agents/commands",
    title: "Commands",
    permission: "commands_read",
    load: () => import("./agents/CommandList.svelte"),
  },
  {
    pattern: "/agents/commands/:commandId",
    title: "Command",
    permission: "commands_read",
    load: () => import("./agents/CommandDetail.svelte"),
  },
  {
    pattern: "/agents/:agentId",
    title: "Endpoint",
    permission: "endpoints_read",
    load: () => import("./agents/EndpointDetail.svelte"),
  },
  {
    pattern: "/users",
    title: "Users",
    permission: "users_read",
    load: () => import("./users/UserList.svelte"),
  },
  {
    pattern: "/users/api-keys",
    title: "API keys",
    permission: ["api_keys_own", "api_keys_manage"],
    load: () => import("./users/ApiKeyList.svelte"),
  },
  {
    pattern: "/users/api-keys/reference",
    title: "API reference",
    load: () => import("./users/ApiReference.svelte"),
  },
  {
    pattern: "/users/roles",
    title: "Roles",
    permission: "users_read",
    load: () => import("./users/RoleList.svelte"),
  },
  {
    pattern: "/users/subscription",
    title: "Subscription",
    permission: "users_read",
    load: () => import("./users/Subscription.svelte"),
  },
  {
    pattern: "/users/tenants",
    title: "Tenants",
    permission: "tenants_manage",
    load: () => import("./users/TenantList.svelte"),
  },
  {
    pattern: "/users/password-policy",
    title: "Password policy",
    permission: "policies_manage",
    load: () => import("./users/PasswordPolicy.svelte"),
  },
  {
    pattern: "/users/providers",
    title: "Identity providers",
    permission: "providers_manage",
    load: () => import("./users/ProviderList.svelte"),
  },
  { pattern: "/users/me", title: "Your account", load: () => import("./users/Account.svelte") },
  { pattern: "/users/me/security", title: "Security", load: () => import("./users/Security.svelte") },
  {
    pattern: "/monitoring/alerts",
    title: "Alerts",
    permission: "alerts_read",
    load: () => import("./monitoring/AlertList.svelte"),
  },
  {
    pattern: "/monitoring/kpis",
    title: "Key figures",
    permission: "alerts_read",
    load: () => import("./monitoring/KeyFigures.svelte"),
  },
  {
    pattern: "/monitoring/reports",
    title: "Reports",
    permission: "alerts_read",
    load: () => import("./monitoring/ReportList.svelte"),
  },
  {
    pattern: "/monitoring/reports/:reportId",
    title: "Report",
    permission: "alerts_read",
    load: () => import("./monitoring/ReportPage.svelte"),
  },
  {
    pattern: "/monitoring/maintenance",
    title: "Maintenance",
    permission: "tenants_manage",
    load: () => import("./monitoring/Maintenance.svelte"),
  },
  {
    pattern: "/monitoring/backups",
    title: "Backups",
    permission: "tenants_manage",
    load: () => import("./monitoring/Backups.svelte"),
  },
  {
    pattern: "/monitoring/standbys",
    title: "Standbys",
    permission: "tenants_manage",
    load: () => import("./monitoring/Standbys.svelte"),
  },
  {
    pattern: "/monitoring/channels",
    title: "Channels",
    permission: "alerts_read",
    load: () => import("./monitoring/ChannelList.svelte"),
  },
  {
    pattern: "/monitoring/notifications",
    title: "Notifications",
    permission: "alerts_read",
    load: () => import("./monitoring/NotificationLog.svelte"),
  },
  {
    pattern: "/audit",
    title: "Audit log",
    permission: "audit_read",
    load: () => import("./audit/AuditLog.svelte"),
  },
];

export interface NavItem {
  href: string;
  label: string;
  icon: IconName;
  permission: Permission | Permission[];
}

export const NAVIGATION: readonly { label: string; items: readonly NavItem[] }[] = [
  {
    label: "Watch",
    items: [
      { href: "/", label: "Overview", icon: "overview", permission: "incidents_read" },
      { href: "/threats", label: "Incidents", icon: "incident", permission: "incidents_read" },
      { href: "/monitoring/alerts", label: "Alerts", icon: "alert", permission: "alerts_read" },
      { href: "/agents", label: "Endpoints", icon: "endpoint", permission: "endpoints_read" },
      { href: "/agents/commands", label: "Commands", icon: "terminal", permission: "commands_read" },
      { href: "/threats/rules", label: "Rules", icon: "rule", permission: "rules_read" },
      { href: "/threats/exceptions", label: "Exceptions", icon: "mute", permission: "rules_read" },
      { href: "/monitoring/kpis", label: "Key figures", icon: "chart", permission: "alerts_read" },
      { href: "/monitoring/reports", label: "Reports", icon: "report", permission: "alerts_read" },
      {
        href: "/monitoring/notifications",
        label: "Notifications",
        icon: "bell",
        permission: "alerts_read",
      },
    ],
  },
  {
    label: "Manage",
    items: [
      {
        href: "/users/api-keys",
        label: "API keys",
        icon: "key",
        permission: ["api_keys_own", "api_keys_manage"],
      },
      { href: "/users", label: "Users", icon: "users", permission: "users_read" },
      { href: "/users/roles", label: "Roles", icon: "shield", permission: "users_read" },
      { href: "/users/subscription", label: "Subscription", icon: "card", permission: "users_read" },
      {
        href: "/users/password-policy",
        label: "Password policy",
        icon: "lock",
        permission: "policies_manage",
      },
      {
        href: "/users/providers",
        label: "Identity providers",
        icon: "globe",
        permission: "providers_manage",
      },
      { href: "/monitoring/channels", label: "Channels", icon: "send", permission: "alerts_read" },
      { href: "/users/tenants", label: "Tenants", icon: "tenant", permission: "tenants_manage" },
      {
        href: "/monitoring/maintenance",
        label: "Maintenance",
        icon: "wrench",
        permission: "tenants_manage",
      },
      { href: "/monitoring/backups", label: "Backups", icon: "database", permission: "tenants_manage" },
      { href: "/monitoring/standbys", label: "Standbys", icon: "copy", permission: "tenants_manage" },
      { href: "/audit", label: "Audit log", icon: "audit", permission: "audit_read" },
    ],
  },
];

/** The item that an address belongs to: the longest one that it equals or hangs under. */
export function currentItem(path: string): string | undefined {
  if (path === "/users/me" || path.startsWith("/users/me/")) return undefined;
  const hrefs = NAVIGATION.flatMap((group) => group.items.map((item) => item.href));
  return hrefs
    .filter((href) => path === href || (href !== "/" && path.startsWith(`${href}/`)))
    .sort((a, b) => b.length - a.length)[0];
}
