// What the server remembers, and where.

export {
  type Account,
  AccountError,
  Accounts,
  type AccountsOptions,
  type ImportProblem,
  type NewAccount,
} from "./accounts.ts";
export { type CallRecord, CallRecords, type CallRecordsOptions } from "./call-records.ts";
export { Database, type StoreLog } from "./database.ts";
export { type FlushReport, LocationStore, type LocationStoreOptions } from "./location-store.ts";
export { openStore, type Store, type StoreOptions } from "./store.ts";
export { StoreError } from "./store-error.ts";
