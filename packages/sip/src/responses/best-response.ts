// Which of several final responses a forking proxy forwards. RFC 3261 §16.7 step 6.

// The RFC prefers, inside 4xx, what lets the caller send again: 401, 407, 415, 420, 484. The rest of the order is
// ours: first what tells the caller what to change, then what says most about the callee, then what says
// least. A merged branch (482) or a dead flow (430) must never hide another answer.
const withinRequestFailure: readonly (readonly number[])[] = [
  [401, 407],
  [415],
  [420],
  [484],
  [421, 422, 423, 424, 425, 428, 429, 433, 436, 437, 438, 470, 485, 494],
  [486],
  [480],
  [488, 493],
  [406, 413, 414, 416, 417],
  [403],
  [410],
  [404],
  [], // every other 4xx
  [408],
  [482],
  [430],
];
const otherRequestFailure = withinRequestFailure.findIndex((codes) => codes.length === 0);
const rankInClass = new Map(withinRequestFailure.flatMap((codes, rank) => codes.map((code) => [code, rank])));

/**
 * The place of a final response from 300 to 699 in the order of preference: the lowest number is forwarded. A
 * 6xx comes first (MUST), then the lowest class (SHOULD). Equal numbers: the one that came first.
 */
export function preferenceOf(code: number): number {
  if (code >= 600) return 0;
  const ofClass = Math.trunc(code / 100) * 100;
  if (ofClass === 400) return ofClass + (rankInClass.get(code) ?? otherRequestFailure);
  // §16.7 step 6: a 503 speaks only for the server that sent it, so any other 5xx says more.
  return code === 503 ? ofClass + 1 : ofClass;
}
