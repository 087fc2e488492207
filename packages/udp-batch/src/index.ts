// UDP sockets that receive and send in batches. Linux; needs the compiled half (build.mjs).
import { native, unavailable } from "./native.ts";

export type { Peer } from "./peer.ts";
export { BatchSocket, type BatchSocketOptions, openSockets, type SystemError } from "./socket.ts";

/** True if `BatchSocket` works here. */
export const isAvailable: boolean = native !== undefined;

/** Why it does not; undefined if it does. */
export const whyUnavailable: string | undefined = unavailable;
