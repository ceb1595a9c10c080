/** The server's OpenAPI 3.1 document, as the reference page reads it. */

export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  enum?: unknown[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  additionalProperties?: Schema | boolean;
  minimum?: number;
  maximum?: number;
  example?: unknown;
  examples?: unknown[];
}

interface Content {
  content?: Record<string, { schema?: Schema }>;
  description?: string;
}

interface RawOperation {
  tags?: string[];
  summary?: string;
  description?: string;
  operationId?: string;
  parameters?: Parameter[];
  requestBody?: Content;
  responses?: Record<string, Content>;
  security?: Record<string, unknown>[];
}

export interface Parameter {
  name: string;
  in: string;
  description?: string;
  required?: boolean;
  schema?: Schema;
}

export interface Document {
  info: { version: string };
  paths: Record<string, Partial<Record<Method, RawOperation>>>;
  components?: { schemas?: Record<string, Schema> };
}

const METHODS = ["get", "post", "put", "patch", "delete"] as const;
type Method = (typeof METHODS)[number];

export interface Operation {
  id: string;
  method: Method;
  path: string;
  /** The noun that it belongs to. */
  group: string;
  summary: string;
  description: string | undefined;
  parameters: Parameter[];
  body: Schema | undefined;
  answers: { status: string; description: string; schema: Schema | undefined }[];
  /** Whether it takes a session or a key. */
  guarded: boolean;
}

/** A field of an object, in words. */
export interface SchemaField {
  name: string;
  type: string;
  required: boolean;
  description: string | undefined;
}

/** How deep an example goes before it ends with an empty value. */
const DEPTH = 6;

/** Every operation, by noun and path. */
export function listOperations(document: Document): Operation[] {
  return Object.entries(document.paths)
    .flatMap(([path, methods]) =>
      METHODS.flatMap((method) => {
        const raw = methods[method];
        return raw ? [toOperation(method, path, raw)] : [];
      }),
    )
    .sort((a, b) => a.group.localeCompare(b.group) || a.path.localeCompare(b.path));
}

function toOperation(method: Method, path: string, raw: RawOperation): Operation {
  return {
    id: raw.operationId ?? `${method} ${path}`,
    method,
    path,
    group: raw.tags?.[0] ?? "other",
    summary: raw.summary ?? "",
    description: raw.description,
    parameters: raw.parameters ?? [],
    body: firstSchema(raw.requestBody),
    answers: Object.entries(raw.responses ?? {}).map(([status, answer]) => ({
      status,
      description: answer.description ?? "",
      schema: firstSchema(answer),
    })),
    guarded: (raw.security ?? []).some((way) => Object.keys(way).length > 0),
  };
}

function firstSchema(content: Content | undefined): Schema | undefined {
  return Object.values(content?.content ?? {})[0]?.schema;
}

/** Whether each word stands somewhere in the operation's method, path, summary or parameters. */
export function matches(operation: Operation, text: string): boolean {
  const names = operation.parameters.map((parameter) => parameter.name);
  const whole = [operation.method, operation.path, operation.summary, ...names].join(" ").toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => whole.includes(word));
}

/** The schema that a reference stands for; one that leads nowhere is an empty one. */
export function resolve(document: Document, schema: Schema): Schema {
  let found = schema;
  for (let step = 0; found.$ref !== undefined && step < DEPTH; step++) {
    found = document.components?.schemas?.[nameOf(found.$ref)] ?? {};
  }
  return found;
}

function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

/** A type in words: `text (uuid)`, `list of IncidentView`, `"low" | "high"`. */
export function describeType(document: Document, schema: Schema): string {
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) {
    return [...new Set(choices.map((one) => describeType(document, one)))].join(" or ");
  }
  if (schema.$ref !== undefined) {
    const found = resolve(document, schema);
    // What is an object has a name that says more; what is a word or a number is told as that.
    return found.properties || found.oneOf || found.allOf
      ? nameOf(schema.$ref)
      : describeType(document, found);
  }
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.items) return `list of ${describeType(document, schema.items)}`;
  const types = [schema.type ?? "object"].flat().map((type) => (type === "string" ? "text" : type));
  const limits = [schema.format, describeRange(schema)].filter((part) => part !== undefined);
  return types.join(" or ") + (limits.length > 0 ? ` (${limits.join(", ")})` : "");
}

function describeRange({ minimum, maximum }: Schema): string | undefined {
  if (minimum === undefined && maximum === undefined) return undefined;
  if (maximum === undefined) return `from ${minimum}`;
  return minimum === undefined ? `up to ${maximum}` : `${minimum} to ${maximum}`;
}

/** The fields of an object, those of a list's items, and of all that it is made of. */
export function listFields(document: Document, schema: Schema): SchemaField[] {
  const found = resolve(document, schema);
  if (found.items) return listFields(document, found.items);
  const own = Object.entries(found.properties ?? {}).map(([name, field]) => ({
    name,
    type: describeType(document, field),
    required: found.required?.includes(name) ?? false,
    description:
      field.description ?? (field.oneOf ?? []).find((one) => one.description !== undefined)?.description,
  }));
  return [...(found.allOf ?? []).flatMap((part) => listFields(document, part)), ...own];
}

/** A value as the schema has it, for showing. */
export function makeExample(document: Document, schema: Schema, depth = DEPTH): unknown {
  const found = resolve(document, schema);
  const given = found.example ?? found.examples?.[0] ?? found.enum?.[0];
  if (given !== undefined) return given;
  const choice = (found.oneOf ?? found.anyOf)?.find((one) => one.type !== "null");
  if (choice) return makeExample(document, choice, depth);
  if (found.allOf) {
    return Object.assign({}, ...found.allOf.map((part) => makeExample(document, part, depth)));
  }
  if (found.items) return depth > 0 ? [makeExample(document, found.items, depth - 1)] : [];
  if (found.properties) {
    if (depth <= 0) return {};
    const fields = Object.entries(found.properties).map(([name, field]) => [
      name,
      makeExample(document, field, depth - 1),
    ]);
    return Object.fromEntries(fields);
  }
  return exampleOf([found.type ?? "object"].flat()[0] ?? "object", found);
}

function exampleOf(type: string, { format, minimum }: Schema): unknown {
  switch (type) {
    case "string":
      return format ? (FORMATS[format] ?? format) : "text";
    case "integer":
    case "number":
      return minimum ?? 0;
    case "boolean":
      return false;
    case "null":
      return null;
    default:
      return {};
  }
}

const FORMATS: Record<string, string> = {
  uuid: "01985f2e-7c1a-7b3e-9a44-2f6f1d0c9b11",
  "date-time": "2026-01-31T08:15:00Z",
  date: "2026-01-31",
};

/** The operation as a command for a terminal; `$TOKEN` stands for a session's token or an API key. */
export function makeCommand(document: Document, operation: Operation, origin: string): string {
  const query = operation.parameters.filter((one) => one.in === "query" && one.required);
  const asked = query.map((one) => `${one.name}=${String(makeExample(document, one.schema ?? {}))}`);
  const path = operation.path + (asked.length > 0 ? `?${asked.join("&")}` : "");
  const lines = [`curl -sS -X ${operation.method.toUpperCase()} '${origin}${path}'`];
  if (operation.guarded) lines.push(`-H "Authorization: Bearer $TOKEN"`);
  if (operation.body) {
    const body = JSON.stringify(makeExample(document, operation.body), null, 2).replaceAll("'", "'\\''");
    lines.push("-H 'Content-Type: application/json'", `-d '${body}'`);
  }
  return lines.join(" \\\n  ");
}
