import { describe, expect, it } from "vitest";
import { readEvents, SseParser } from "./sse";

describe("the event stream", () => {
  it("gives one message per block, whatever the chunks are", () => {
    const text = 'event: change\ndata: {"a":1}\n\n: keep-alive\n\ndata: x\ndata: y\r\n\r\n';
    for (let size = 1; size <= text.length; size += 1) {
      const parser = new SseParser();
      const messages: string[] = [];
      for (let at = 0; at < text.length; at += size) messages.push(...parser.push(text.slice(at, at + size)));
      expect(messages).toEqual(['{"a":1}', "x\ny"]);
    }
  });

  it("keeps what is not complete", () => {
    const parser = new SseParser();
    expect(parser.push("data: half")).toEqual([]);
    expect(parser.push("\n\n")).toEqual(["half"]);
  });

  it("is read until its end, with characters that are cut in two", async () => {
    const bytes = new TextEncoder().encode("data: ü\n\ndata: 2\n\n");
    const stream = new ReadableStream({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const messages: string[] = [];
    await readEvents(new Response(stream), (data) => messages.push(data));
    expect(messages).toEqual(["ü", "2"]);
  });
});
