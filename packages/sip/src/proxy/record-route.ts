// The URIs that this proxy leaves in Record-Route and Path, signed, so that requests inside a dialog follow only
// routes that we recorded. RFC 3261 §16.6 step 4, RFC 5658 (two values), RFC 5626 §5.3 (flow tokens), RFC 3327 §5.

import { type HashKey, keyedHash } from "../keyed-hash.ts";
import type { SipRequest, SipUri } from "../message/index.ts";
import type { Flow } from "../transport/flow.ts";

/** What a Route value of ours says about the request that carries it. */
export interface RecordedRoute {
  /** "downstream": in the direction of the request that recorded it; "path": a registration's way back. */
  readonly direction: "downstream" | "upstream" | "path";
  /** The id of the flow to the next element in that direction, where it was recorded. */
  readonly flowId: string | undefined;
}

// URI parameters: `sig` signs the dialog and the flows; `up` and `down` name the flows towards the two ends.
export const signatureParam = "sig";
const upParam = "up";
const downParam = "down";

/** The parameters for Record-Route: `;sig=…` and the flows. One string serves all branches without flows. */
export function recordRouteParams(
  key: HashKey,
  request: SipRequest,
  upstream: Flow | undefined,
  downstream: Flow | undefined,
): string {
  const up = upstream?.id ?? "";
  const down = downstream?.id ?? "";
  let params = `;${signatureParam}=${dialogSignature(key, request.callId, request.fromTag ?? "", up, down)}`;
  if (up !== "") params += `;${upParam}=${up}`;
  if (down !== "") params += `;${downParam}=${down}`;
  return params;
}

/** The parameters for a Path value: requests that carry it go over this flow (RFC 5626 §5.1). */
export function pathParams(key: HashKey, flow: Flow): string {
  return `;ob;${signatureParam}=${pathSignature(key, flow.id)};${downParam}=${flow.id}`;
}

/** Whether a URI looks like one of ours: cheap, decides nothing. */
export function isSigned(uri: SipUri): boolean {
  return uri.params.has(signatureParam);
}

/** Whether it looks like a Path value of ours, whose signature decides. */
export function isPathValue(uri: SipUri): boolean {
  return uri.params.has("ob") && uri.params.has(signatureParam);
}

/**
 * Checks the signature of a Route value against the dialog of the request. The side that sent the recording request
 * is known by its tag, so direction comes with the check. Undefined: not ours, of another dialog, or changed.
 */
export function verifyRoute(key: HashKey, uri: SipUri, request: SipRequest): RecordedRoute | undefined {
  const signature = uri.params.get(signatureParam);
  if (signature === undefined) return undefined;
  const up = uri.params.get(upParam) ?? "";
  const down = uri.params.get(downParam) ?? "";
  if (uri.params.has("ob")) {
    if (down === "" || signature !== pathSignature(key, down)) return undefined;
    return { direction: "path", flowId: down };
  }
  const { callId } = request;
  if (signature === dialogSignature(key, callId, request.fromTag ?? "", up, down)) {
    return { direction: "downstream", flowId: down === "" ? undefined : down };
  }
  const toTag = request.toTag;
  if (toTag !== undefined && signature === dialogSignature(key, callId, toTag, up, down)) {
    return { direction: "upstream", flowId: up === "" ? undefined : up };
  }
  return undefined;
}

function dialogSignature(key: HashKey, callId: string, callerTag: string, up: string, down: string): string {
  // No part can hold a space, so no two dialogs give one text.
  return keyedHash(
    key,
    up === "" && down === "" ? `${callId} ${callerTag}` : `${callId} ${callerTag} ${up} ${down}`,
  );
}

function pathSignature(key: HashKey, flowId: string): string {
  return keyedHash(key, ` ${flowId}`);
}
