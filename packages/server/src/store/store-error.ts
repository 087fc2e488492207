// Failures of the store: the disk, the database, its worker. Never carries values of a row.

/** The database could not do what it was asked. `code` is stable. */
export class StoreError extends Error {
  readonly code = "OFFHOOK_STORE";

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreError";
  }
}
