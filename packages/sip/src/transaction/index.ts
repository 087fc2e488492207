// Transactions, RFC 3261 §17.

export * from "./invite-client.ts";
export * from "./invite-server.ts";
export * from "./machine.ts";
export * from "./non-invite-client.ts";
export * from "./non-invite-server.ts";
export * from "./timers.ts";
export * from "./transaction-id.ts";
export * from "./transaction-layer.ts";
export type * from "./transaction-user.ts";
