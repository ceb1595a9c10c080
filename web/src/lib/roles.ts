import type { Role } from "../api/types";

/** From least to most, with a word on what each does. */
const ROLES: readonly { role: Role; may: string }[] = [
  { role: "user", may: "sees their own endpoints" },
  { role: "manager", may: "works incidents and endpoints" },
  { role: "admin", may: "also manages people and keys" },
  { role: "system_admin", may: "also manages tenants" },
];

/** The roles that somebody may hand out: none above their own. */
export function grantableRoles(own: Role): typeof ROLES {
  return ROLES.slice(0, ROLES.findIndex((one) => one.role === own) + 1);
}
