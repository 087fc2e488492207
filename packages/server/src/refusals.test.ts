// What this server answers itself, and when: one row for each condition, on a real socket. The same conditions over
// UDP and TCP from another program: test/interop/sipp-codes.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { udpWire } from "@offhook/sip/node";
import { WirePeer } from "@offhook/sip/testing";
import { type RunningServer, startServer } from "./server.test.kit.ts";

/** A request line, then header fields that come before the usual ones; the latter only where they are not given. */
type Request = readonly [line: string, ...fields: string[]];
interface Row {
  readonly title: string;
  readonly send: Request;
  readonly body?: string;
  readonly status: number;
  /** Header fields of the answer, and those that must not be there. */
  readonly has?: Readonly<Record<string, RegExp>>;
  readonly not?: readonly string[];
}

let count = 0;

/** Sends one request from a socket of its own; returns the first response that is not 100, as lines. */
async function ask(running: RunningServer, [line, ...fields]: Request, body = ""): Promise<string[]> {
  const peer = new WirePeer(await udpWire(), { remote: { address: "127.0.0.1", port: running.udpPort } });
  try {
    const id = `refusal-${++count}`;
    const [method = "", uri = ""] = line.split(" ");
    const usual = [
      `Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK${id}`,
      "Max-Forwards: 70",
      `From: <sip:alice@127.0.0.1>;tag=${id}`,
      `To: <${uri}>`,
      `Call-ID: ${id}`,
      `CSeq: 1 ${method}`,
      ...(method === "INVITE" ? ["Contact: <sip:alice@{host}:{port}>"] : []),
      `Content-Length: ${new TextEncoder().encode(body).length}`,
    ];
    const nameOf = (field: string) => field.slice(0, field.indexOf(":"));
    const given = new Set(fields.map(nameOf));
    const all = [...fields, ...usual.filter((field) => !given.has(nameOf(field)))];
    peer.send([`${line}${line.endsWith(".0") ? "" : " SIP/2.0"}`, ...all, "", body].join("\n"));
    for (;;) {
      const answer = await peer.receive();
      assert.ok(answer, `no answer to ${line}`);
      const { text, startLine } = answer;
      if (startLine.startsWith("SIP/2.0 100 ")) continue;
      const lines = text.split("\r\n");
      const tag = /^To: .*;tag=([^;\s]+)/m.exec(text)?.[1];
      if (method === "INVITE" && tag !== undefined) {
        const to = lines.find((one) => one.startsWith("To: ")) ?? "";
        peer.send(
          [
            `ACK ${uri} SIP/2.0`,
            ...all.filter((field) => !/^(To|CSeq|Content-)/.test(field)),
            ...[to, "CSeq: 1 ACK", "Content-Length: 0", "", ""],
          ].join("\n"),
        );
      }
      return lines;
    }
  } finally {
    await peer.close();
  }
}

function check(lines: readonly string[], { status, has = {}, not = [] }: Row): void {
  assert.match(lines[0] ?? "", new RegExp(`^SIP/2\\.0 ${status} `), lines.join("\n"));
  // §8.2.6.2: a tag of ours, on every response but 100.
  assert.ok(
    lines.some((line) => /^To: .*;tag=/.test(line)),
    lines.join("\n"),
  );
  for (const [name, pattern] of Object.entries(has)) {
    const values = lines
      .filter((line) => line.startsWith(`${name}: `))
      .map((line) => line.slice(name.length + 2));
    assert.ok(
      values.some((value) => pattern.test(value)),
      `${name} ${pattern}: ${lines.join("\n")}`,
    );
  }
  for (const name of not) assert.ok(!lines.some((line) => line.startsWith(`${name}: `)), lines.join("\n"));
}

function rowsFor(config: string, rows: readonly Row[]): void {
  test(`server with: ${config.trim().replace(/\n/g, "; ")}`, async (t) => {
    const running = await startServer(t, `${config}\nstore: { kind: memory }\n`);
    for (const row of rows) {
      await t.test(row.title, async () => check(await ask(running, row.send, row.body), row));
    }
  });
}

const own = /^REGISTER, OPTIONS, ACK, CANCEL$/;

rowsFor("auth: { enabled: false }\naccounts: any", [
  {
    title: "§11.2 OPTIONS to the server itself: 200 with what it takes",
    send: ["OPTIONS sip:127.0.0.1"],
    status: 200,
    has: {
      Allow: own,
      Accept: /application\/sdp/,
      "Accept-Encoding": /identity/,
      "Accept-Language": /en/,
      Supported: /path/,
    },
  },
  {
    title: "§16.3 step 3 OPTIONS that ends here: 200 without Allow",
    send: ["OPTIONS sip:bob@127.0.0.1", "Max-Forwards: 0"],
    status: 200,
    not: ["Allow"],
  },
  {
    title: "RFC 4475 §3.3.11 Max-Forwards 0 does not stop what has arrived",
    send: ["OPTIONS sip:127.0.0.1", "Max-Forwards: 0"],
    status: 200,
    has: { Allow: own },
  },
  {
    title: "§21.4.6 a method that is known but not taken by the server itself: 405",
    send: ["INVITE sip:127.0.0.1"],
    status: 405,
    has: { Allow: own },
  },
  { title: "§21.4.6 and not an INVITE", send: ["MESSAGE sip:127.0.0.1"], status: 405, has: { Allow: own } },
  { title: "§21.5.2 a method that nobody knows: 501", send: ["FROBNICATE sip:127.0.0.1"], status: 501 },
  {
    title: "§16.3 but not if it is for a user: forwarded, here to nobody",
    send: ["FROBNICATE sip:bob@127.0.0.1"],
    status: 480,
  },
  {
    title: "§8.2.2.3 OPTIONS to the server itself with an unknown Require: 420",
    send: ["OPTIONS sip:127.0.0.1", "Require: path, Foo"],
    status: 420,
    has: { Unsupported: /^Foo$/ },
  },
  {
    title: "§12.2.2 a dialog that is not",
    send: ["BYE sip:127.0.0.1", "To: <sip:127.0.0.1>;tag=x"],
    status: 481,
  },
  {
    title: "§16.3 step 2 a scheme that nobody knows: 416",
    send: ["INVITE soap.beep://127.0.0.1", "To: <sip:bob@127.0.0.1>"],
    status: 416,
  },
  {
    title: "§16.3 step 3 too many hops: 483, by whom",
    send: ["INVITE sip:bob@127.0.0.1", "Max-Forwards: 0"],
    status: 483,
    has: { Warning: /^399 127\.0\.0\.1:\d+ "/ },
  },
  {
    title: "§16.3 step 5 a proxy extension that we do not know: 420, the tags as they came",
    send: ["INVITE sip:bob@127.0.0.1", "Proxy-Require: Foo,bar", "Require: baz"],
    status: 420,
    has: { Unsupported: /^Foo, bar$/ },
  },
  {
    title: "§21.4.1 no Call-ID: 400, and what is missing",
    send: ["INVITE sip:bob@127.0.0.1", "Call-ID-: x", "Call-ID: "],
    status: 400,
    has: { Warning: /^399 offhook "Call-ID: empty"$/ },
  },
  { title: "§21.5.6 another version: 505", send: ["OPTIONS sip:127.0.0.1 SIP/7.0"], status: 505 },
  {
    title: "RFC 4475 §3.1.2.17 CSeq of another method: 400",
    send: ["OPTIONS sip:127.0.0.1", "CSeq: 1 INVITE"],
    status: 400,
  },
  {
    title: "RFC 4475 §3.1.2.18 but rather 501 if nobody knows the method",
    send: ["FROBNICATE sip:127.0.0.1", "CSeq: 1 INVITE"],
    status: 501,
  },
  {
    title: "§10.3 step 6 Contact: * with an expiry: 400",
    send: ["REGISTER sip:127.0.0.1", "To: <sip:bob@127.0.0.1>", "Contact: *", "Expires: 60"],
    status: 400,
  },
  {
    title: "§10.3 step 2 an extension that the registrar does not know: 420",
    send: ["REGISTER sip:127.0.0.1", "To: <sip:bob@127.0.0.1>", "Require: gruu"],
    status: 420,
    has: { Unsupported: /^gruu$/ },
  },
  {
    title: "§10.3 step 7 too short: 423 with the least",
    send: ["REGISTER sip:127.0.0.1", "To: <sip:bob@127.0.0.1>", "Contact: <sip:bob@127.0.0.1:9>;expires=30"],
    status: 423,
    has: { "Min-Expires": /^60$/ },
  },
  {
    title: "§10.3 step 7 but not a removal",
    send: ["REGISTER sip:127.0.0.1", "To: <sip:bob@127.0.0.1>", "Contact: <sip:bob@127.0.0.1:9>;expires=0"],
    status: 200,
    has: { Date: /GMT$/ },
  },
  { title: "§9.2 a CANCEL of nothing", send: ["CANCEL sip:127.0.0.1"], status: 481 },
]);

rowsFor(
  "auth: { enabled: false }\naccounts: any\nrelay: { peers: [127.0.0.1] }\nproxy: { requirePath: true, uriSchemes: [sip, sips] }",
  [
    {
      title: "RFC 3327 §5.2 a REGISTER for elsewhere that does not know Path: 421",
      send: ["REGISTER sip:192.0.2.1", "To: <sip:bob@192.0.2.1>", "Contact: <sip:bob@127.0.0.1:9>"],
      status: 421,
      has: { Require: /^path$/ },
    },
    {
      title: "which our own registrar does not mind",
      send: ["REGISTER sip:127.0.0.1", "To: <sip:bob@127.0.0.1>", "Contact: <sip:bob@127.0.0.1:9>"],
      status: 200,
    },
    {
      title: "§16.3 step 2 telephone numbers are not for this server: 416",
      send: ["INVITE tel:+886212345678", "To: <tel:+886212345678>"],
      status: 416,
    },
  ],
);

const threePhones = [1, 2, 3].map((port) => `Contact: <sip:bob@127.0.0.1:${port}>`);
rowsFor("auth: { enabled: false }\naccounts: any\nproxy: { onBreadth: reject }", [
  {
    title: "three phones",
    send: ["REGISTER sip:127.0.0.1", "To: <sip:bob@127.0.0.1>", ...threePhones],
    status: 200,
  },
  {
    title: "RFC 5393 §5.3.3 breadth for two of three branches: 440",
    send: ["INVITE sip:bob@127.0.0.1", "Max-Breadth: 2"],
    status: 440,
  },
  {
    title: "RFC 5393 §5.3.3 and not an INVITE",
    send: ["MESSAGE sip:bob@127.0.0.1", "Max-Breadth: 2"],
    status: 440,
  },
]);

rowsFor(
  "auth: { enabled: false }\naccounts: any\nlimits: { bodySize: 1000, uriLength: 300, messageSize: 2000 }",
  [
    {
      title: "§21.4.11 a body over its limit: 413",
      send: ["MESSAGE sip:bob@127.0.0.1", "Content-Type: text/plain"],
      body: "x".repeat(1001),
      status: 413,
    },
    {
      title: "just within it: goes on, to nobody",
      send: ["MESSAGE sip:bob@127.0.0.1", "Content-Type: text/plain"],
      body: "x".repeat(1000),
      status: 480,
    },
    {
      title: "§21.4.12 a Request-URI over its limit: 414",
      send: [`INVITE sip:${"b".repeat(300)}@127.0.0.1`, "To: <sip:b@127.0.0.1>"],
      status: 414,
    },
    {
      title: "§21.5.7 the whole message over its limit: 513",
      send: ["INVITE sip:bob@127.0.0.1", `Subject: ${"s".repeat(2000)}`],
      status: 513,
    },
  ],
);

const action = (port: number, value: string) => `Contact: <sip:bob@127.0.0.1:${port}>;action=${value}`;
const twoActions: readonly Row[] = [
  {
    title: "one contact",
    send: ["REGISTER sip:127.0.0.1", "To: <sip:bob@127.0.0.1>", action(1, "proxy")],
    status: 200,
  },
  {
    title: "another one that agrees",
    send: ["REGISTER sip:127.0.0.1", "To: <sip:bob@127.0.0.1>", action(2, "proxy")],
    status: 200,
  },
];
const disagreeing: Request = ["REGISTER sip:127.0.0.1", "To: <sip:bob@127.0.0.1>", action(3, "redirect")];
rowsFor("auth: { enabled: false }\naccounts: any\ncompat: { rfc2543: true }", [
  ...twoActions,
  { title: "RFC 2543 §7.4.10 and one that does not: 409", send: disagreeing, status: 409 },
  {
    title: "nothing was changed",
    send: ["REGISTER sip:127.0.0.1", "To: <sip:bob@127.0.0.1>"],
    status: 200,
    has: { Contact: /:2>.*action=proxy/ },
  },
  { title: "a removal never conflicts", send: [...disagreeing, "Expires: 0"], status: 200 },
]);
rowsFor("auth: { enabled: false }\naccounts: any", [
  ...twoActions,
  { title: "RFC 3261 has no action: 200", send: disagreeing, status: 200 },
]);

const retryAfter = { "Retry-After": /^7$/ };
rowsFor("auth: { enabled: false }\naccounts: any\noverload: { maintenance: true, retryAfter: 7 }", [
  { title: "§21.5.4 in maintenance: 503", send: ["INVITE sip:bob@127.0.0.1"], status: 503, has: retryAfter },
  { title: "§21.5.4 and not an INVITE", send: ["OPTIONS sip:127.0.0.1"], status: 503, has: retryAfter },
  {
    title: "but not in a dialog",
    send: ["BYE sip:127.0.0.1", "To: <sip:127.0.0.1>;tag=x"],
    status: 481,
    not: ["Retry-After"],
  },
]);

rowsFor("auth: { enabled: false }\naccounts: any\nlimits: { transactions: 2 }\noverload: { retryAfter: 7 }", [
  { title: "room for one", send: ["MESSAGE sip:bob@127.0.0.1"], status: 480 },
  { title: "room for two", send: ["MESSAGE sip:bob@127.0.0.1"], status: 480 },
  { title: "§21.5.4 no room: 503", send: ["INVITE sip:bob@127.0.0.1"], status: 503, has: retryAfter },
  { title: "but in a dialog", send: ["BYE sip:bob@127.0.0.1", "To: <sip:bob@127.0.0.1>;tag=x"], status: 480 },
]);

rowsFor(
  "auth: { enabled: false }\naccounts: any\nlimits: { requestsPerSource: 1 }\nrelay: { peers: [127.0.0.1] }",
  [
    { title: "a peer may send", send: ["OPTIONS sip:127.0.0.1"], status: 200 },
    { title: "as many requests", send: ["OPTIONS sip:127.0.0.1"], status: 200 },
    { title: "as it likes", send: ["OPTIONS sip:127.0.0.1"], status: 200 },
  ],
);
