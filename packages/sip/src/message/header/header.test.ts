// Header families: what each value reads as, what is refused, and that printing brings the same value back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ArgumentError, ParseError } from "../../errors.ts";
import {
  CALL_ID,
  CONTENT_LENGTH,
  CSEQ,
  FROM,
  headerEntries,
  headerIdOf,
  MAX_FORWARDS,
  ROUTE,
  TO,
  VIA,
} from "../header-table.ts";
import {
  type HeaderName,
  parseMessage,
  parseVia,
  printHeaderValue,
  printVia,
  type SipHeaders,
} from "../index.ts";

function headers(lines: string): SipHeaders {
  const text = `OPTIONS sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bKx\r\nf: <sip:a@b>;tag=1\r\nt: <sip:a@b>\r\ni: x\r\nCSeq: 1 OPTIONS\r\n${lines}\r\n\r\n`;
  return parseMessage(new TextEncoder().encode(text)).headers;
}

/** Maps as plain objects, absent parts gone. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  if (Symbol.iterator in value) return Object.fromEntries(value as Iterable<[string, unknown]>);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .map(([name, part]) => [name, plain(part)]),
  );
}

// header, text, value
const readable: [HeaderName, string, unknown][] = [
  [
    "Accept",
    "application/sdp;level=1, application/x-private;q=0.5, text/*",
    [
      { type: "application/sdp", params: { level: "1" } },
      { type: "application/x-private", params: { q: "0.5" } },
      { type: "text/*", params: {} },
    ],
  ],
  ["Accept", "", []],
  [
    "Accept-Encoding",
    "gzip, *;q=0.1",
    [
      { value: "gzip", params: {} },
      { value: "*", params: { q: "0.1" } },
    ],
  ],
  [
    "Accept-Language",
    "da, en-gb;q=0.8",
    [
      { value: "da", params: {} },
      { value: "en-gb", params: { q: "0.8" } },
    ],
  ],
  [
    "Alert-Info",
    "<http://www.example.com/sounds/moo.wav>;x=y",
    [{ uri: { scheme: "http", text: "http://www.example.com/sounds/moo.wav" }, params: { x: "y" } }],
  ],
  ["Allow", "INVITE, ACK ,CANCEL", ["INVITE", "ACK", "CANCEL"]],
  [
    "Authentication-Info",
    'nextnonce="47364c23432d2e131a5fb210812c", nc=00000001',
    [{ nextnonce: "47364c23432d2e131a5fb210812c", nc: "00000001" }],
  ],
  [
    "Authorization",
    'Digest username="Alice", realm="a \\"b\\"", nonce="84a4cc6f", uri="sip:b@c", response="7587245234b3434cc3412213e5f113a5", qop=auth, nc=00000001',
    [
      {
        scheme: "Digest",
        params: {
          username: "Alice",
          realm: 'a "b"',
          nonce: "84a4cc6f",
          uri: "sip:b@c",
          response: "7587245234b3434cc3412213e5f113a5",
          qop: "auth",
          nc: "00000001",
        },
      },
    ],
  ],
  [
    "WWW-Authenticate",
    'Digest realm="atlanta.com", qop="auth,auth-int", nonce="84a4", stale=FALSE, algorithm=MD5',
    [
      {
        scheme: "Digest",
        params: {
          realm: "atlanta.com",
          qop: "auth,auth-int",
          nonce: "84a4",
          stale: "FALSE",
          algorithm: "MD5",
        },
      },
    ],
  ],
  [
    "Proxy-Authorization",
    "Bearer mF_9.B5f-4.1JqM==",
    [{ scheme: "Bearer", params: { "": "mF_9.B5f-4.1JqM==" } }],
  ],
  [
    "Call-Info",
    "<http://wwww.example.com/alice/photo.jpg> ;purpose=icon, <http://www.example.com/alice/> ;purpose=info",
    [
      {
        uri: { scheme: "http", text: "http://wwww.example.com/alice/photo.jpg" },
        params: { purpose: "icon" },
      },
      { uri: { scheme: "http", text: "http://www.example.com/alice/" }, params: { purpose: "info" } },
    ],
  ],
  ["Contact", "*", ["*"]],
  [
    "Content-Disposition",
    "session;handling=optional",
    [{ value: "session", params: { handling: "optional" } }],
  ],
  [
    "Content-Type",
    'multipart/mixed; boundary="a b"',
    [{ type: "multipart/mixed", params: { boundary: "a b" } }],
  ],
  ["Content-Encoding", "gzip", ["gzip"]],
  ["Date", "Sat, 13 Nov 2010 23:29:00 GMT", [Date.UTC(2010, 10, 13, 23, 29, 0)]],
  ["Event", "presence.winfo;id=7;x", [{ type: "presence.winfo", id: "7", params: { id: "7", x: "" } }]],
  ["Expires", "5", [5]],
  ["Expires", "99999999999", [4294967295]],
  [
    "Identity",
    'eyJ.eyJ.sig;info=<https://cert.example/a;b.pem>;alg=ES256;ppt="shaken"',
    [
      {
        token: "eyJ.eyJ.sig",
        info: "https://cert.example/a;b.pem",
        alg: "ES256",
        ppt: "shaken",
        params: { alg: "ES256", ppt: "shaken" },
      },
    ],
  ],
  [
    "In-Reply-To",
    "70710@saturn.bell-tel.com, 17320@saturn.bell-tel.com",
    ["70710@saturn.bell-tel.com", "17320@saturn.bell-tel.com"],
  ],
  ["Min-SE", "90;x=y", [90]],
  ["RAck", "776656 1 INVITE", [{ rSeq: 776656, sequence: 1, method: "INVITE" }]],
  [
    "Reason",
    'SIP ;cause=200 ;text="Call completed elsewhere", Q.850;cause=16',
    [
      {
        protocol: "SIP",
        cause: 200,
        text: "Call completed elsewhere",
        params: { cause: "200", text: "Call completed elsewhere" },
      },
      { protocol: "Q.850", cause: 16, params: { cause: "16" } },
    ],
  ],
  [
    "Replaces",
    "98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff;early-only",
    [
      {
        callId: "98732@sip.example.com",
        fromTag: "r33th4x0r",
        toTag: "ff87ff",
        earlyOnly: true,
        params: { "from-tag": "r33th4x0r", "to-tag": "ff87ff", "early-only": "" },
      },
    ],
  ],
  ["Retry-After", "18000;duration=3600", [{ seconds: 18000, duration: 3600, params: { duration: "3600" } }]],
  [
    "Retry-After",
    "120 (I'm in a (long) meeting)",
    [{ seconds: 120, comment: "I'm in a (long) meeting", params: {} }],
  ],
  [
    "Session-Expires",
    "4000;refresher=uac",
    [{ seconds: 4000, refresher: "uac", params: { refresher: "uac" } }],
  ],
  ["Subject", "Tech  support: é", ["Tech  support: é"]],
  [
    "Subscription-State",
    "terminated;reason=timeout;retry-after=10",
    [
      {
        state: "terminated",
        reason: "timeout",
        retryAfter: 10,
        params: { reason: "timeout", "retry-after": "10" },
      },
    ],
  ],
  ["Supported", " 100rel , timer", ["100rel", "timer"]],
  [
    "Target-Dialog",
    "fa77as7dad8-sd98ajzz@host.example.com;local-tag=kkaz-;remote-tag=6544",
    [
      {
        callId: "fa77as7dad8-sd98ajzz@host.example.com",
        toTag: "6544",
        fromTag: "kkaz-",
        earlyOnly: false,
        params: { "local-tag": "kkaz-", "remote-tag": "6544" },
      },
    ],
  ],
  ["Timestamp", "54.25 0.5", [{ time: 54.25, delay: 0.5 }]],
  ["User-Agent", "Softphone Beta1.5 (x; y)", ["Softphone Beta1.5 (x; y)"]],
  [
    "Warning",
    '307 isi.edu "Session parameter \'foo\' not understood", 301 isi.edu:5060 "a, b"',
    [
      { code: 307, agent: "isi.edu", text: "Session parameter 'foo' not understood" },
      { code: 301, agent: "isi.edu:5060", text: "a, b" },
    ],
  ],
  [
    "Refer-To",
    "<sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>",
    [
      {
        uri: {
          scheme: "sip",
          user: "dave",
          host: "denver.example.org",
          params: {},
          headers: { replaces: "12345@192.168.118.3;to-tag=12345;from-tag=5FFE-3994" },
        },
        params: {},
      },
    ],
  ],
];
for (const [name, text, values] of readable) {
  test(`${name}, ${text || "empty"}, is read and printed back`, () => {
    const all = headers(`${name}: ${text}`).getAll(name);
    assert.deepEqual(plain(all), values);
    if (all.length === 0) return;
    const printed = printHeaderValue(name, all as never);
    const again = headers(`${name}: ${printed}`).getAll(name);
    // Parameters may come in another order or spelling; what is read must be the same.
    assert.deepEqual(plain(again), values, `printed as ${printed}`);
    assert.deepEqual(plain(headers(`${name}: ${text}`).get(name)), (values as unknown[])[0]);
  });
}

const refused: [HeaderName, string][] = [
  ["Accept", "text"],
  ["Accept", "text/plain,"],
  ["Allow", "INVITE ACK"],
  ["Allow", "INVITE,,ACK"],
  ["Authorization", "Digest username"],
  ["Authorization", 'Digest username="a'],
  ["Authorization", 'Digest username="a" realm="b"'],
  ["Call-Info", "http://x"],
  ["Contact", '"Joe" <sip:joe@example.org>;;;;'],
  ["Content-Type", "text/plain; charset" + "="],
  ["Date", "Sat, 13 Nov 2010 23:29:00 EST"],
  ["Date", "Sat, 32 Nov 2010 23:29:00 GMT"],
  ["Expires", "soon"],
  ["Expires", "-1"],
  ["Expires", ""],
  ["Record-Route", "sip:a@b;lr"],
  ["Replaces", "x;to-tag=1"],
  ["Retry-After", "120 (never ends"],
  ["Session-Expires", "4000;refresher=me"],
  ["Warning", '37 isi.edu "x"'],
  ["Warning", "307 isi.edu x"],
  ["RAck", "1 INVITE"],
];
for (const [name, text] of refused) {
  test(`${name}, ${text || "empty"}, is refused when it is asked for`, () => {
    const all = headers(`${name}: ${text}`);
    assert.throws(
      () => all.getAll(name),
      (error) => error instanceof ParseError && error.field === name && error.status === 400,
    );
  });
}

test("§7.3.1, names in any case and compact forms, are the same", () => {
  const all = headers("K: a\r\nsupported: b, c\r\nSuPPorted  : d");
  assert.deepEqual(all.getAll("Supported"), ["a", "b", "c", "d"]);
  assert.deepEqual(all.rawAll("k"), ["a", "b, c", "d"]);
  assert.equal(all.get("Supported"), "a");
  assert.ok(all.has("SUPPORTED") && all.has("K") && !all.has("Require"));
  assert.equal(all.raw("cseq"), "1 OPTIONS");
});

test("§7.3.1, unknown headers, are text, per line", () => {
  const all = headers("X-One: 1,2\r\nx-one: \r\n 3\r\nX-Oneplus: 4\r\nX-On: 5");
  assert.equal(all.get("X-ONE"), "1,2");
  assert.deepEqual(all.getAll("x-one"), ["1,2", "3"]);
  assert.equal(all.get("X-Two"), undefined);
  assert.deepEqual([...all.entries()].slice(-4), [
    ["X-One", "1,2"],
    ["x-one", "3"],
    ["X-Oneplus", "4"],
    ["X-On", "5"],
  ]);
});

test("the list that getAll gives, when changed, leaves the message as it was", () => {
  const all = headers("Allow: INVITE, ACK");
  all.getAll("Allow").pop();
  assert.deepEqual(all.getAll("Allow"), ["INVITE", "ACK"]);
});

test("the numbers that the parser counts on, are those of the table", () => {
  const expected = {
    Via: VIA,
    From: FROM,
    To: TO,
    "Call-ID": CALL_ID,
    CSeq: CSEQ,
    "Max-Forwards": MAX_FORWARDS,
    "Content-Length": CONTENT_LENGTH,
    Route: ROUTE,
  };
  for (const [name, id] of Object.entries(expected)) assert.equal(headerIdOf(name), id);
  assert.ok(headerEntries.length < 255);
  assert.ok(headerEntries.every(({ name }) => /^[A-Za-z-]+$/.test(name)));
});

test("every name of the table, in a message, is found", () => {
  for (const { name } of headerEntries.slice(8)) {
    for (const spelling of [name, name.toUpperCase(), name.toLowerCase()]) {
      assert.ok(headers(`${spelling}: x`).has(name), spelling);
    }
  }
});

test("RFC 3581, Via, rport and received", () => {
  const via = parseVia(
    'SIP / 2.0 / udp  [2001:DB8::1] : 5062 ;rport;branch=z9hG4bK1;received=[::1];ttl=3;maddr=224.0.1.75;x="y z"',
  );
  assert.deepEqual(plain({ ...via, params: undefined }), {
    transport: "UDP",
    host: "2001:db8::1",
    port: 5062,
    branch: "z9hG4bK1",
    received: "::1",
    rport: true,
    maddr: "224.0.1.75",
    ttl: 3,
  });
  assert.equal(
    printVia(via),
    'SIP/2.0/UDP [2001:db8::1]:5062;rport;received=::1;maddr=224.0.1.75;ttl=3;branch=z9hG4bK1;x="y z"',
  );
  assert.equal(parseVia(printVia(via)).params.get("x"), "y z");
  for (const text of [
    "SIP/2.0/UDP",
    "SIP/2.0 h",
    "SIP/2.0/UDPh",
    "SIP/2.0/UDP h;branch",
    "SIP/2.0/UDP h;rport=x",
    "SIP/2.0/UDP h;ttl=256",
    "SIP/2.0/UDP h;received=a b",
    "SIP/2.0/UDP h:0x",
    "SIP/2.0/UDP h, SIP/2.0/UDP i",
  ]) {
    assert.throws(() => parseVia(text), ParseError, text);
  }
});

test("§7.3, values with line breaks or of the wrong kind, are refused when printed", () => {
  assert.throws(() => printHeaderValue("Subject", "a\r\nX: y"), ArgumentError);
  assert.throws(() => printHeaderValue("X", "a\nb"), ArgumentError);
  assert.throws(
    () => printHeaderValue("Content-Type", { type: "a/b\r\nX: y", params: new Map() }),
    ArgumentError,
  );
  assert.throws(() => printHeaderValue("Expires", Number.NaN), ArgumentError);
  assert.throws(() => printHeaderValue("Warning", { nonsense: 1 } as never), ArgumentError);
  assert.throws(() => printHeaderValue("From", ["<sip:a@b>", "<sip:c@d>"]), ArgumentError);
  assert.throws(() => printHeaderValue("Expires", null as never), ArgumentError);
  assert.equal(printHeaderValue("Date", 0), "Thu, 01 Jan 1970 00:00:00 GMT");
  assert.equal(printHeaderValue("Retry-After", 5), "5");
});
