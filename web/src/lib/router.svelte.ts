/** The console's router: patterns with `:name` parts over the History API. */
import type { Component } from "svelte";
import type { Permission } from "../api/types";

export interface Route {
  pattern: string;
  title: string;
  /** What the caller needs; absent: every signed-in caller. */
  permission?: Permission | Permission[];
  // biome-ignore lint/suspicious/noExplicitAny: each page declares its own parameters, checked by its pattern's test
  load: () => Promise<{ default: Component<any> }>;
}

export interface Match {
  route: Route;
  params: Record<string, string>;
}

/** The first route whose pattern fits the path. */
export function matchRoute(routes: readonly Route[], path: string): Match | undefined {
  const parts = splitPath(path);
  for (const route of routes) {
    const params = matchParts(splitPath(route.pattern), parts);
    if (params) return { route, params };
  }
  return undefined;
}

class Router {
  path = $state(globalThis.location?.pathname ?? "/");
  query = $state.raw(new URLSearchParams(globalThis.location?.search ?? ""));

  /** Goes to one of the console's addresses. */
  go(href: string, options: { replace?: boolean } = {}): void {
    history[options.replace ? "replaceState" : "pushState"](null, "", href);
    this.read();
  }

  /** Changes parts of the query in place; an empty value removes its name. */
  setQuery(changes: Record<string, string | undefined>): void {
    const next = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries(changes)) {
      if (value) next.set(name, value);
      else next.delete(name);
    }
    const text = next.toString();
    this.go(text ? `${this.path}?${text}` : this.path, { replace: true });
  }

  /** Takes the address that the browser shows. */
  read(): void {
    const moved = this.path !== location.pathname;
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
    if (moved) scrollTo(0, 0);
  }

  /** Follows plain clicks on the console's own links; everything else stays the browser's. */
  click(event: MouseEvent): void {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || !followsInside(event, link)) return;
    event.preventDefault();
    if (link.href !== location.href) this.go(link.pathname + link.search);
  }
}

export const router = new Router();

function followsInside(event: MouseEvent, link: HTMLAnchorElement): boolean {
  const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  const ours =
    link.origin === location.origin && !link.target && !link.hasAttribute("download") && !link.hash;
  return plain && ours && !event.defaultPrevented && !link.pathname.startsWith("/api/");
}

function splitPath(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}

function matchParts(pattern: string[], parts: string[]): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const actual = parts[index] ?? "";
    if (expected.startsWith(":")) params[expected.slice(1)] = decode(actual);
    else if (expected !== actual) return undefined;
  }
  return params;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
