// @offhook/server: the whole server, and the pieces of it that the command line uses.

export { isAnswering, makeAdminApp, RemoteAdministration, serveAdmin } from "./admin.ts";
export {
  type Administration,
  AdministrationError,
  type ListedCall,
  LocalAdministration,
  type UserInput,
} from "./administration.ts";
export type { CallState, CallSummary } from "./call.ts";
export {
  type Config,
  ConfigError,
  demoCertificate,
  demoConfig,
  type LoadedConfig,
  loadConfig,
  parseConfig,
} from "./config.ts";
export { adminSocketOf, databaseOf, openConfiguredStore } from "./configured-files.ts";
export { type RehearsalOptions, rehearse } from "./rehearsal.ts";
export { OffhookServer, type ServerDriver, type ServerOptions, type ServerWorld } from "./server.ts";
export { printAddress, StartError } from "./start-error.ts";
export {
  type Account,
  AccountError,
  type ImportProblem,
  openStore,
  type Store,
  StoreError,
} from "./store/index.ts";
export { type Ladder, type LadderMessage, ladderOf, redact } from "./trace.ts";
