// Identity: RFC 8224 §4.1. The value of RFC 4474 (a quoted string) still parses; older forms stay text.
import { type Params, printParams } from "../params.ts";
import { Reader } from "../reader.ts";

export interface Identity {
  /** The signed token, base64url parts joined by dots; may be the compact form "..signature". */
  readonly token: string;
  /** "info" without its angle brackets. */
  readonly info?: string;
  readonly alg?: string;
  readonly ppt?: string;
  readonly params: Params;
}

export function decodeIdentity(bytes: Uint8Array, start: number, end: number, field: string): Identity {
  const reader = new Reader(bytes, start, end, field);
  const token = reader.isAtQuote ? reader.quoted() : reader.until(";");
  if (token === "") reader.fail("the signature is missing");
  const params = new Map<string, string>();
  let info: string | undefined;
  while (reader.takes(";")) {
    const name = reader.token("a parameter").toLowerCase();
    if (!reader.takes("=")) {
      params.set(name, "");
    } else if (reader.takes("<")) {
      // ident-info = "info" EQUAL ident-info-uri, in angle brackets
      const uri = reader.until(">");
      reader.expect(">");
      if (name === "info") info = uri;
      else params.set(name, uri);
    } else {
      params.set(name, reader.isAtQuote ? reader.quoted() : reader.token("a value"));
    }
  }
  reader.finish();
  return { token, info, alg: params.get("alg"), ppt: params.get("ppt"), params } as Identity;
}

/** What can be printed: `params` only for what has no field of its own. */
export type IdentityInit = Omit<Identity, "params"> & { readonly params?: Params };

export function printIdentity(value: IdentityInit): string {
  let out = value.token;
  if (value.info !== undefined) out += `;info=<${value.info}>`;
  if (value.alg !== undefined) out += `;alg=${value.alg}`;
  if (value.ppt !== undefined) out += `;ppt="${value.ppt}"`;
  const others = new Map(value.params);
  others.delete("alg");
  others.delete("ppt");
  return out + printParams(others);
}
