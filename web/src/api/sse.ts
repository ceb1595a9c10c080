/** Reading `text/event-stream`: the browser's own EventSource cannot send the tenant header. */

/** Cuts a stream's text into the `data` of its messages; comments (keep-alives) give nothing. */
export class SseParser {
  #buffer = "";

  push(chunk: string): string[] {
    this.#buffer += chunk;
    const messages: string[] = [];
    for (;;) {
      const end = /\r?\n\r?\n/.exec(this.#buffer);
      if (!end) return messages;
      const block = this.#buffer.slice(0, end.index);
      this.#buffer = this.#buffer.slice(end.index + end[0].length);
      const data = block
        .split(/\r?\n/)
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).replace(/^ /, ""));
      if (data.length > 0) messages.push(data.join("\n"));
    }
  }
}

/** Calls `onMessage` for each message until the stream ends. */
export async function readEvents(response: Response, onMessage: (data: string) => void): Promise<void> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new SseParser();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const message of parser.push(value)) onMessage(message);
  }
}
