// How often one request of the application may be sent again by itself: the end of every retry loop.
// RFC 3261 §8.1.3.5 leaves it open; §22.1 wants no second try with refused credentials.

/** Automatic retries per request of the application, all codes together. */
export const maxRetries = 5;

/** Targets of 3xx responses per request, and how many redirections may follow one another. */
export const maxRedirectTargets = 10;
export const maxRedirectGenerations = 5;

/** Counts the retries of one request of the application. */
export class RetryGuard {
  readonly #codes = new Set<number>();
  #count = 0;
  #minimumSession = 0;

  /**
   * Asks for one more retry because of `statusCode`. Each code counts once, except 401 and 407, where the
   * credentials themselves count realms, and 422, whose every round has to raise Min-SE.
   */
  allows(statusCode: number, minimumSession = 0): boolean {
    if (this.#count >= maxRetries) return false;
    if (statusCode === 422) {
      if (minimumSession <= this.#minimumSession) return false;
      this.#minimumSession = minimumSession;
    } else if (statusCode !== 401 && statusCode !== 407) {
      if (this.#codes.has(statusCode)) return false;
      this.#codes.add(statusCode);
    }
    this.#count++;
    return true;
  }
}
