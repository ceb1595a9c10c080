import { expect, test } from "vitest";
import { decode, encode } from "./passkeys";

test("bytes survive base64url in both directions", () => {
  for (let length = 0; length < 70; length += 1) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 151 + length * 7) % 256);
    const text = encode(bytes.buffer);
    expect(text).toMatch(/^[\w-]*$/);
    expect([...decode(text)]).toEqual([...bytes]);
  }
});
