/** Short messages that are shown for a while and read out by screen readers. */
const SHOWN_MS = 6_000;

class Announcer {
  text = $state("");
  #timer: ReturnType<typeof setTimeout> | undefined;

  say(text: string): void {
    this.text = text;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.clear(), SHOWN_MS);
  }

  clear(): void {
    this.text = "";
  }
}

export const announcer = new Announcer();
