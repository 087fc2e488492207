// Transactions, RFC 3261 §17.

export {
  type InviteClientAction,
  type InviteClientEvent,
  type InviteClientState,
  inviteClientTable,
} from "./invite-client.ts";
export {
  type InviteServerAction,
  type InviteServerEvent,
  type InviteServerState,
  inviteServerTable,
} from "./invite-server.ts";
export { type Durations, durationsOf, nobody, type Row, type Table, type TimerOptions } from "./machine.ts";
export {
  type NonInviteClientAction,
  type NonInviteClientEvent,
  type NonInviteClientState,
  nonInviteClientTable,
} from "./non-invite-client.ts";
export {
  type NonInviteServerAction,
  type NonInviteServerEvent,
  type NonInviteServerState,
  nonInviteServerTable,
} from "./non-invite-server.ts";
export { type Keyed, TextHash, TextTable } from "./text-table.ts";
export { magicCookie, statelessTag, UniqueIds } from "./transaction-id.ts";
export {
  TransactionLayer,
  type TransactionLayerOptions,
  type TransactionLayerUser,
  type TransactionTransport,
} from "./transaction-layer.ts";
export type * from "./transaction-user.ts";
