import type { AuditChainView } from "../../api/types";

/** How the chain stands: everything is under a signature, the newest is not yet, or something is wrong. */
export function chainTone(view: AuditChainView): "ok" | "waiting" | "danger" {
  if (view.problems.length > 0) return "danger";
  return view.position > view.checkpoint_position ? "waiting" : "ok";
}
