// Every response code with its facts, as data that the rest of the library runs on. RFC 3261 §21 and later RFCs.

/** The six classes of RFC 3261 §7.2, by the name the RFC gives them. */
export type ResponseClass =
  | "provisional"
  | "success"
  | "redirection"
  | "request failure"
  | "server failure"
  | "global failure";

export interface ResponseFacts {
  readonly code: number;
  /** The registered reason phrase. */
  readonly phrase: string;
}

/** All 77 codes in ascending order. */
export const catalogue: readonly ResponseFacts[] = [
  { code: 100, phrase: "Trying" },
  { code: 180, phrase: "Ringing" },
  { code: 181, phrase: "Call Is Being Forwarded" },
  { code: 182, phrase: "Queued" },
  { code: 183, phrase: "Session Progress" },
  { code: 199, phrase: "Early Dialog Terminated" },
  { code: 200, phrase: "OK" },
  { code: 202, phrase: "Accepted" },
  { code: 204, phrase: "No Notification" },
  { code: 300, phrase: "Multiple Choices" },
  { code: 301, phrase: "Moved Permanently" },
  { code: 302, phrase: "Moved Temporarily" },
  { code: 305, phrase: "Use Proxy" },
  { code: 380, phrase: "Alternative Service" },
  { code: 400, phrase: "Bad Request" },
  { code: 401, phrase: "Unauthorized" },
  { code: 402, phrase: "Payment Required" },
  { code: 403, phrase: "Forbidden" },
  { code: 404, phrase: "Not Found" },
  { code: 405, phrase: "Method Not Allowed" },
  { code: 406, phrase: "Not Acceptable" },
  { code: 407, phrase: "Proxy Authentication Required" },
  { code: 408, phrase: "Request Timeout" },
  { code: 409, phrase: "Conflict" },
  { code: 410, phrase: "Gone" },
  { code: 411, phrase: "Length Required" },
  { code: 412, phrase: "Conditional Request Failed" },
  { code: 413, phrase: "Request Entity Too Large" },
  { code: 414, phrase: "Request-URI Too Long" },
  { code: 415, phrase: "Unsupported Media Type" },
  { code: 416, phrase: "Unsupported URI Scheme" },
  { code: 417, phrase: "Unknown Resource-Priority" },
  { code: 420, phrase: "Bad Extension" },
  { code: 421, phrase: "Extension Required" },
  { code: 422, phrase: "Session Interval Too Small" },
  { code: 423, phrase: "Interval Too Brief" },
  { code: 424, phrase: "Bad Location Information" },
  { code: 425, phrase: "Bad Alert Message" },
  { code: 428, phrase: "Use Identity Header" },
  { code: 429, phrase: "Provide Referrer Identity" },
  { code: 430, phrase: "Flow Failed" },
  { code: 433, phrase: "Anonymity Disallowed" },
  { code: 436, phrase: "Bad Identity Info" },
  { code: 437, phrase: "Unsupported Credential" },
  { code: 438, phrase: "Invalid Identity Header" },
  { code: 439, phrase: "First Hop Lacks Outbound Support" },
  { code: 440, phrase: "Max-Breadth Exceeded" },
  { code: 469, phrase: "Bad Info Package" },
  { code: 470, phrase: "Consent Needed" },
  { code: 480, phrase: "Temporarily Unavailable" },
  { code: 481, phrase: "Call/Transaction Does Not Exist" },
  { code: 482, phrase: "Loop Detected" },
  { code: 483, phrase: "Too Many Hops" },
  { code: 484, phrase: "Address Incomplete" },
  { code: 485, phrase: "Ambiguous" },
  { code: 486, phrase: "Busy Here" },
  { code: 487, phrase: "Request Terminated" },
  { code: 488, phrase: "Not Acceptable Here" },
  { code: 489, phrase: "Bad Event" },
  { code: 491, phrase: "Request Pending" },
  { code: 493, phrase: "Undecipherable" },
  { code: 494, phrase: "Security Agreement Required" },
  { code: 500, phrase: "Server Internal Error" },
  { code: 501, phrase: "Not Implemented" },
  { code: 502, phrase: "Bad Gateway" },
  { code: 503, phrase: "Service Unavailable" },
  { code: 504, phrase: "Server Time-out" },
  { code: 505, phrase: "Version Not Supported" },
  { code: 513, phrase: "Message Too Large" },
  { code: 555, phrase: "Push Notification Service Not Supported" },
  { code: 580, phrase: "Precondition Failure" },
  { code: 600, phrase: "Busy Everywhere" },
  { code: 603, phrase: "Decline" },
  { code: 604, phrase: "Does Not Exist Anywhere" },
  { code: 606, phrase: "Not Acceptable" },
  { code: 607, phrase: "Unwanted" },
  { code: 608, phrase: "Rejected" },
];

const byCode = new Map(catalogue.map((facts) => [facts.code, facts]));

/** The facts on one code, or undefined when it is not in the catalogue. */
export function factsOf(code: number): ResponseFacts | undefined {
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
const classDefault = [183, 200, 300, 400, 500, 600];

/** The phrase to send with a code: the registered one, for an unknown code that of its class. */
export function reasonPhrase(code: number): string {
  return (factsOf(code) ?? factsOf(classDefault[Math.trunc(code / 100) - 1] ?? 500))?.phrase ?? "";
}
