// Warning: RFC 3261 §20.43.
import { quote } from "../params.ts";
import { Reader } from "../reader.ts";

export interface Warning {
  /** 300 … 399. */
  readonly code: number;
  /** host[:port] or pseudonym of who warns. */
  readonly agent: string;
  readonly text: string;
}

export function decodeWarning(bytes: Uint8Array, start: number, end: number, field: string): Warning {
  const reader = new Reader(bytes, start, end, field);
  const at = reader.position;
  const code = reader.number(999);
  if (reader.position - at !== 3) reader.fail("the code has not three digits");
  reader.white();
  const agent = reader.until(' \t\r\n"');
  if (agent === "") reader.fail("the agent is missing");
  reader.white();
  const text = reader.quoted();
  reader.finish();
  return { code, agent, text };
}

export function printWarning(value: Warning): string {
  return `${value.code} ${value.agent} ${quote(value.text)}`;
}
