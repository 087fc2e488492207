// Every response code with its facts, as data that the rest of the library runs on. RFC 3261 §21 and later RFCs.

import { provisionalAndSuccess } from "./facts/1xx-2xx.ts";
import { redirection } from "./facts/3xx.ts";
import { serverAndGlobalFailure } from "./facts/5xx-6xx.ts";
import { requestFailure } from "./facts/400-425.ts";
import { identityAndStateFailure } from "./facts/428-494.ts";
import type { ResponseClass, ResponseFacts } from "./facts.ts";

const all = [
  ...provisionalAndSuccess,
  ...redirection,
  ...requestFailure,
  ...identityAndStateFailure,
  ...serverAndGlobalFailure,
] as const;

/** The codes of the catalogue as a union of numbers: texts and tables keyed by it cannot miss one. */
export type ResponseCode = (typeof all)[number]["code"];

/** All 77 codes in ascending order: the 75 registered ones and 409 and 411 of RFC 2543. */
export const catalogue: readonly (ResponseFacts & { readonly code: ResponseCode })[] = all;

const byCode = new Map<number, (typeof catalogue)[number]>(catalogue.map((facts) => [facts.code, facts]));

/** The facts on one code, or undefined when it is not in the catalogue. */
export function factsOf(code: number): (typeof catalogue)[number] | undefined {
  return byCode.get(code);
}

const classes: readonly ResponseClass[] = [
  "provisional",
  "success",
  "redirection",
  "request failure",
  "server failure",
  "global failure",
];

/** The class of any code from 100 to 699, known or not (§7.2); RangeError for other numbers. */
export function classOf(code: number): ResponseClass {
  const name = classes[Math.trunc(code / 100) - 1];
  if (name === undefined) throw new RangeError(`not a SIP response code: ${code}`);
  return name;
}

// §8.1.3.2: an unknown code is treated as the x00 of its class, an unknown 1xx as 183.
const classDefaults = [183, 200, 300, 400, 500, 600];

/** The code whose rules a receiver follows: the code itself if known, else that of its class (§8.1.3.2). */
export function treatedAs(code: number): ResponseCode {
  const facts = factsOf(code) ?? factsOf(classDefaults[Math.trunc(code / 100) - 1] ?? 0);
  if (facts === undefined) throw new RangeError(`not a SIP response code: ${code}`);
  return facts.code;
}

/** The phrase to send with a code: the registered one, for an unknown code that of its class. */
export function reasonPhrase(code: number): string {
  return factsOf(treatedAs(code))?.phrase ?? "";
}
