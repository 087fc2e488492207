// Reads single header fields from the bytes of a message that we made or parsed before: for trace and call records.

const callIdNames = [Buffer.from("\nCall-ID:"), Buffer.from("\nCall-Id:"), Buffer.from("\ni:")];
const cSeqName = Buffer.from("\nCSeq:");

/** The Call-ID, or undefined. Fast for the usual spellings. */
export function callIdOf(bytes: Uint8Array): string | undefined {
  const buffer = view(bytes);
  for (const name of callIdNames) {
    const found = buffer.indexOf(name);
    if (found >= 0) return valueFrom(buffer, found + name.length);
  }
  return findHeader(bytes, "call-id", "i");
}

/** True if the CSeq names this method. */
export function hasCSeqMethod(bytes: Uint8Array, method: string): boolean {
  const buffer = view(bytes);
  const found = buffer.indexOf(cSeqName);
  const value = found >= 0 ? valueFrom(buffer, found + cSeqName.length) : findHeader(bytes, "cseq");
  return value?.endsWith(method) === true && /[ \t]/.test(value[value.length - method.length - 1] ?? "");
}

/** The status code of a response, 0 for a request. */
export function statusCodeOf(bytes: Uint8Array): number {
  // "SIP/2.0 180": no request begins with "SIP/".
  if (bytes[0] !== 0x53 || bytes[3] !== 0x2f || bytes[7] !== 0x20) return 0;
  return (bytes[8]! - 48) * 100 + (bytes[9]! - 48) * 10 + (bytes[10]! - 48);
}

/** The reason phrase of a response. */
export function reasonPhraseOf(bytes: Uint8Array): string {
  const buffer = view(bytes);
  return buffer.toString("utf8", 12, Math.max(12, buffer.indexOf("\r\n")));
}

/** The first field of that name (lower case; `compact` its short form), unfolded only as far as its first line. */
export function findHeader(bytes: Uint8Array, name: string, compact?: string): string | undefined {
  const head = view(bytes).toString("latin1");
  const end = head.indexOf("\r\n\r\n");
  for (const line of head
    .slice(0, end < 0 ? undefined : end)
    .split("\r\n")
    .slice(1)) {
    const colon = line.indexOf(":");
    const field = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
    if (colon > 0 && (field === name || field === compact)) return line.slice(colon + 1).trim();
  }
  return undefined;
}

function valueFrom(buffer: Buffer, start: number): string {
  const end = buffer.indexOf("\r\n", start);
  return buffer.toString("latin1", start, end < 0 ? buffer.length : end).trim();
}

function view(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
