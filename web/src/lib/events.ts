/** One line for what an endpoint observed. */
import type { EndpointEventView } from "../api/types";

export function describeEvent(event: EndpointEventView): { main: string; more: string } {
  const text = (name: string) => {
    const value = event.detail[name];
    return value === undefined || value === null ? "" : String(value);
  };
  if (event.kind === "gap") {
    const lost = text("lost_records");
    return {
      main: text("reason"),
      more: [lost && `${lost} records lost`, text("detail")].filter(Boolean).join("; "),
    };
  }
  if (event.kind === "process_started") {
    const facts = [
      text("user") && `by ${text("user")}`,
      text("pid") && `pid ${text("pid")}`,
      text("parent_image") && `from ${text("parent_image")}`,
    ];
    return {
      main: text("command_line") || text("image") || text("name"),
      more: facts.filter(Boolean).join(", "),
    };
  }
  if (event.kind === "logged") {
    const fields = (event.detail.fields ?? {}) as Record<string, string>;
    const told = fields.CommandLine ?? fields.message ?? fields.TargetFilename;
    const all = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
    const source = ["product", "category", "service"].map(text).filter(Boolean).join("/");
    return { main: told ?? all.join(" "), more: source };
  }
  const size = event.detail.size;
  const facts = [
    typeof size === "number" ? `${size.toLocaleString("en")} bytes` : "",
    text("user") && `owner ${text("user")}`,
  ];
  return { main: text("path"), more: facts.filter(Boolean).join(", ") };
}
