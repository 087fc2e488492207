// Retry-After: RFC 3261 §20.33.
import { type Params, printParams } from "../params.ts";
import { Reader } from "../reader.ts";

export interface RetryAfter {
  readonly seconds: number;
  /** The remark in parentheses, without them. */
  readonly comment?: string;
  /** Seconds that the callee will be reachable once he is back. */
  readonly duration?: number;
  readonly params: Params;
}

export function decodeRetryAfter(bytes: Uint8Array, start: number, end: number, field: string): RetryAfter {
  const reader = new Reader(bytes, start, end, field);
  const seconds = Math.min(reader.number(Number.MAX_SAFE_INTEGER / 16), 0xffffffff);
  reader.white();
  const comment = reader.peek() === "(" ? readComment(reader) : undefined;
  const params = reader.params();
  const duration = params.get("duration");
  if (duration !== undefined && !/^\d{1,10}$/.test(duration)) reader.fail("duration is not a number");
  return {
    seconds,
    comment,
    duration: duration === undefined ? undefined : Number(duration),
    params,
  } as RetryAfter;
}

/** comment = LPAREN *(ctext / quoted-pair / comment) RPAREN; nested ones are kept with their parentheses. */
function readComment(reader: Reader): string {
  const { bytes, end } = reader;
  let depth = 0;
  const start = reader.position;
  for (let p = start; p < end; p++) {
    const c = bytes[p]!;
    if (c === 92) p++;
    else if (c === 40) depth++;
    else if (c === 41 && --depth === 0) {
      const inner = new Reader(bytes, start + 1, p, reader.field);
      const text = inner.until("").replace(/\\(.)/g, "$1");
      reader.position = p + 1;
      return text;
    }
  }
  return reader.fail("a comment does not end");
}

export function printRetryAfter(value: RetryAfter | number): string {
  if (typeof value === "number") return String(value);
  let out = String(value.seconds);
  if (value.comment !== undefined) out += ` (${value.comment.replace(/[\\()]/g, "\\$&")})`;
  const params = new Map(value.params);
  if (value.duration !== undefined) params.set("duration", String(value.duration));
  return out + printParams(params);
}
