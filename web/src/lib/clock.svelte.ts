/** The present, for "3 min ago": one timer for the whole page. */
const TICK_MS = 10_000;

class PageClock {
  now = $state(Date.now());

  constructor() {
    if (typeof document === "undefined") return;
    setInterval(() => {
      if (!document.hidden) this.now = Date.now();
    }, TICK_MS);
    document.addEventListener("visibilitychange", () => {
      this.now = Date.now();
    });
  }
}

export const pageClock = new PageClock();
