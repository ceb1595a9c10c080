/** The filters as the API takes them: local times become instants, an unreadable time is left out. */
export function auditQuery(filters: Record<string, string>): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(filters)) {
    if (value === "") continue;
    if (name !== "from" && name !== "to") {
      query[name] = value;
      continue;
    }
    const at = new Date(value);
    if (!Number.isNaN(at.getTime())) query[name] = at.toISOString();
  }
  return query;
}
