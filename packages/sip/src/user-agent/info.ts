// Key presses in INFO requests, as older gateways send them (application/dtmf-relay, application/dtmf).
// RFC 6086 §3: an INFO without Info-Package is of this old kind.

import { mediaTypeOf } from "../core/index.ts";
import type { IncomingRequest } from "../stack.ts";
import type { Call } from "./call.ts";

export function handleInfo(incoming: IncomingRequest, call: Call): void {
  const { request } = incoming;
  if (request.headers.has("Info-Package")) {
    // RFC 6086 §4.2.2: no packages here.
    incoming.respond(469, { headers: [["Recv-Info", ""]] });
    return;
  }
  const type = mediaTypeOf(request);
  if (type === "application/dtmf-relay" || type === "application/dtmf") {
    const digit = digitOf(new TextDecoder().decode(request.body));
    incoming.respond(200);
    if (digit !== undefined) call.reportDtmf(digit);
    return;
  }
  if (request.body.length === 0) incoming.respond(200);
  else incoming.respond(415, { headers: [["Accept", "application/dtmf-relay, application/dtmf"]] });
}

/** "Signal=5" with other lines, or the key alone; 10 to 15 stand for * # A–D. */
function digitOf(body: string): string | undefined {
  const text = (/^[ \t]*Signal[ \t]*=[ \t]*(\S+)/im.exec(body)?.[1] ?? body.trim()).toUpperCase();
  if (/^[0-9*#A-D]$/.test(text)) return text;
  const number = /^1[0-5]$/.test(text) ? Number(text) : undefined;
  return number === undefined ? undefined : "*#ABCD"[number - 10];
}
