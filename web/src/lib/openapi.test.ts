import { describe, expect, it } from "vitest";
import text from "../../../docs/api/openapi.json?raw";
import {
  type Document,
  describeType,
  listFields,
  listOperations,
  makeCommand,
  makeExample,
  matches,
} from "./openapi";

const document = JSON.parse(text) as Document;
const operations = listOperations(document);
const find = (method: string, path: string) => {
  const found = operations.find((one) => one.method === method && one.path === path);
  if (!found) throw new Error(`${method} ${path} is not in the document`);
  return found;
};

describe("the document of the server", () => {
  it("is told completely", () => {
    const methods = Object.values(document.paths).flatMap((path) => Object.keys(path));
    expect(operations).toHaveLength(methods.length);
    expect(new Set(operations.map((one) => one.id)).size).toBe(operations.length);
    expect(operations.filter((one) => one.summary === "").map((one) => one.path)).toEqual([]);
  });

  it("gives an example and words for every body and answer", () => {
    for (const operation of operations) {
      const schemas = [operation.body, ...operation.answers.map((answer) => answer.schema)];
      for (const schema of schemas.filter((one) => one !== undefined)) {
        expect(makeExample(document, schema), operation.id).not.toBeUndefined();
        expect(describeType(document, schema), operation.id).not.toBe("");
      }
    }
  });

  it("says what a field is", () => {
    const body = find("post", "/api/v1/users").body;
    const fields = listFields(document, body ?? {});
    const username = fields.find((field) => field.name === "username");
    expect(username).toMatchObject({ type: "text", required: true });
    expect(username?.description).toContain("Sign-in name");
    expect(fields.find((field) => field.name === "invite")?.required).toBe(false);
    const severity = { $ref: "#/components/schemas/Severity" };
    expect(describeType(document, severity)).toBe('"low" | "medium" | "high" | "critical"');
  });

  it("is searched by word", () => {
    const create = find("post", "/api/v1/users");
    expect(matches(create, "POST users")).toBe(true);
    expect(matches(create, "post incidents")).toBe(false);
    expect(matches(create, "")).toBe(true);
  });

  it("makes commands that a shell takes", () => {
    const command = makeCommand(document, find("post", "/api/v1/users"), "https://guard.example");
    expect(command).toContain("curl -sS -X POST 'https://guard.example/api/v1/users'");
    expect(command).toContain('"Authorization: Bearer $TOKEN"');
    const body = /-d '([\s\S]*)'$/.exec(command)?.[1] ?? "";
    expect(JSON.parse(body)).toHaveProperty("username");
  });
});

describe("a document that leads nowhere", () => {
  const empty: Document = { info: { version: "0" }, paths: {} };

  it("ends", () => {
    const around: Document = {
      ...empty,
      components: {
        schemas: {
          Loop: { properties: { again: { $ref: "#/components/schemas/Loop" } } },
          Self: { $ref: "#/components/schemas/Self" },
        },
      },
    };
    expect(makeExample(around, { $ref: "#/components/schemas/Loop" })).toHaveProperty("again");
    expect(makeExample(around, { $ref: "#/components/schemas/Self" })).toEqual({});
    expect(makeExample(empty, { $ref: "#/components/schemas/Missing" })).toEqual({});
  });

  it("quotes what would end a shell's text", () => {
    const body = { example: "it's" };
    const operation = {
      ...find("post", "/api/v1/users"),
      body,
    };
    expect(makeCommand(empty, operation, "")).toContain(`'"it'\\''s"'`);
  });
});
