/** Dark or light: the system's preference until somebody chooses; the choice is remembered on this browser. */
const KEY = "secureguard.theme";
type Name = "dark" | "light";

class Theme {
  #system = $state<Name>("light");
  #chosen = $state<Name | undefined>();

  constructor() {
    if (typeof matchMedia === "undefined") return;
    const preference = matchMedia("(prefers-color-scheme: dark)");
    this.#system = preference.matches ? "dark" : "light";
    preference.addEventListener("change", (event) => {
      this.#system = event.matches ? "dark" : "light";
    });
    const set = document.documentElement.dataset.theme;
    if (set === "dark" || set === "light") this.#chosen = set;
  }

  get name(): Name {
    return this.#chosen ?? this.#system;
  }

  toggle(): void {
    const next = this.name === "dark" ? "light" : "dark";
    this.#chosen = next;
    document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // Without storage the choice lasts until the page is reloaded.
    }
  }
}

export const theme = new Theme();
