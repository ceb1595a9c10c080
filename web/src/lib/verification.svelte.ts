/** A request that waits until the person in front of the screen has proved who they are. */
class Verification {
  /** Whether somebody is being asked. */
  asking = $state(false);
  #waiting: ((verified: boolean) => void)[] = [];

  /** Asks; true once it was proved. Several requests at once ask once. */
  ask(): Promise<boolean> {
    this.asking = true;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  answer(verified: boolean): void {
    this.asking = false;
    for (const resolve of this.#waiting.splice(0)) resolve(verified);
  }
}

export const verification = new Verification();
