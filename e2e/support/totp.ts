/** An authenticator app: the codes of RFC 6238 for a secret in base32. */
import { createHmac } from "node:crypto";

const STEP_MS = 30_000;

export class App {
  readonly #secret: Buffer;
  #lastStep = 0;

  constructor(base32: string) {
    const bits = [...base32].map((char) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(char));
    const text = bits.map((value) => value.toString(2).padStart(5, "0")).join("");
    const bytes = text.match(/.{8}/g) ?? [];
    this.#secret = Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
  }

  /** A code that was not used yet; waits for the next time step where the present one's was. */
  async code(): Promise<string> {
    const now = Math.floor(Date.now() / STEP_MS);
    // One step ahead is accepted, so that there is a second code without a wait.
    const step = Math.max(now, this.#lastStep + 1);
    const wait = (step - 1) * STEP_MS - Date.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait + 200));
    this.#lastStep = step;
    const counter = Buffer.alloc(8);
    counter.writeBigInt64BE(BigInt(step));
    const digest = createHmac("sha1", this.#secret).update(counter).digest();
    const offset = (digest.at(-1) ?? 0) & 15;
    return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
  }
}
