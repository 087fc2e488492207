// Keep-alives: what is sent between messages to keep a path open. RFC 5626 §3.5, §4.4.
// (Those within a stream are found by framing.ts.)

/** A pong. */
export const CRLF = new Uint8Array([13, 10]);
/** A ping. */
export const DOUBLE_CRLF = new Uint8Array([13, 10, 13, 10]);

/** True for a datagram or WebSocket message of CRLF, NUL or STUN: it keeps a NAT open and is no message. */
export function isKeepAlive(bytes: Uint8Array): boolean {
  // RFC 5626 §3.5.2: STUN begins with two zero bits, as no SIP message does.
  const first = bytes[0];
  if (first === undefined || first < 4) return true;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 13 && bytes[i] !== 10) return false;
  return true;
}

/** True for a ping in a WebSocket message of its own. */
export function isDoubleCrlf(bytes: Uint8Array): boolean {
  return bytes.length === 4 && bytes[0] === 13 && bytes[1] === 10 && bytes[2] === 13 && bytes[3] === 10;
}
