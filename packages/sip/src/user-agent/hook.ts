// Places where an application hangs in functions to be told of something.

import { CallEndedError, NegotiationError, ParseError, Rejected } from "../errors.ts";

/** Functions called in the order in which they were added. What one throws does not keep the others from running. */
export class Hook<T extends readonly unknown[]> {
  readonly #listeners = new Set<(...values: T) => void>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Adds a function; the function returned takes it away again. */
  add(listener: (...values: T) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  emit(...values: T): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(...values);
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}

/** An error that no promise carries, for the application's `onError`. */
export function reportTo(onError: ((error: unknown) => void) | undefined, error: unknown): void {
  if (onError !== undefined) onError(error);
  // What a peer does must never end the process; a bug of a handler should not pass unseen.
  else if (!isFaultOfPeer(error)) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function isFaultOfPeer(error: unknown): boolean {
  return [ParseError, NegotiationError, CallEndedError, Rejected].some((kind) => error instanceof kind);
}
