// Properties over generated and mutilated messages: printing keeps the meaning, splicing keeps the bytes, nothing but
// ParseError is ever thrown, and time stays linear in the length.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { ParseError } from "../errors.ts";
import {
  answerMalformed,
  bodyParts,
  contentLengthOf,
  draftForward,
  type Edits,
  findHeadEnd,
  headerEntries,
  makeAck,
  makeCancel,
  makeResponse,
  parseMessage,
  parseNameAddr,
  parseUri,
  parseVia,
  printHeaderValue,
  printMessage,
  printNameAddr,
  printUri,
  printVia,
  type SipMessage,
  splice,
} from "./index.ts";
import { random } from "./random.test.kit.ts";

const folder = new URL("../../../../test/fixtures/torture/", import.meta.url);
const torture = readdirSync(folder, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith(".dat"))
  .sort()
  .map((file) => new Uint8Array(readFileSync(new URL(file, folder))));

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

/** What the function gives, or the ParseError that it throws; any other error fails the test. */
function orParseError<T>(make: () => T): T | ParseError {
  try {
    return make();
  } catch (error) {
    if (error instanceof ParseError) return error;
    throw error;
  }
}

/** Everything that can be read from a message, errors as their text. */
function meaning(message: SipMessage): unknown {
  return {
    start:
      message.kind === "request"
        ? [message.method, plain(message.requestUri), message.maxForwards]
        : [message.statusCode, message.reasonPhrase],
    core: plain([message.topVia, message.from, message.to, message.callId, message.cSeq]),
    headers: headerEntries.map(({ name }) => {
      const values = orParseError(() => message.headers.getAll(name));
      return values instanceof ParseError ? values.message : plain(values);
    }),
    entries: [...message.headers.entries()],
    body: [...message.body],
  };
}

const nasty = Array.from(
  [
    "\r\n",
    "\r",
    "\n",
    "\r\n ",
    ",",
    ";",
    ";;",
    '"',
    "\\",
    "<",
    ">",
    "@",
    ":",
    "::",
    "[",
    "]",
    "%",
    "%00",
    "%zz",
    "=",
    "?",
    "&",
    " ",
    "\t",
    "\0",
    "\u00ff",
    "é",
    "/",
    "*",
    "0",
    "99999999999999999999",
    "-1",
    "Via: ",
    "l: ",
    "SIP/2.0",
    "tag=",
    "branch=z9hG4bK",
    "sip:",
    "tel:",
    "(",
    ")",
  ],
  (text) => new TextEncoder().encode(text),
);

/** The bytes with one to four things wrong. */
function mutilate(source: Uint8Array, next: (below: number) => number): Uint8Array {
  let bytes = [...source];
  for (let times = 1 + next(4); times > 0; times--) {
    const at = next(bytes.length + 1);
    const length = next(next(4) === 0 ? 200 : 8);
    switch (next(6)) {
      case 0:
        bytes.splice(at, length);
        break;
      case 1:
        bytes.splice(at, 0, ...nasty[next(nasty.length)]!);
        break;
      case 2:
        bytes.splice(at, length, ...nasty[next(nasty.length)]!);
        break;
      case 3:
        if (at < bytes.length) bytes[at] = next(256);
        break;
      case 4:
        bytes.splice(at, 0, ...bytes.slice(next(bytes.length + 1)).slice(0, length));
        break;
      default:
        bytes = bytes.slice(0, next(8) === 0 ? at : bytes.length);
    }
  }
  return Uint8Array.from(bytes);
}

/** Calls everything that takes bytes from outside. */
function exercise(bytes: Uint8Array): SipMessage | undefined {
  const headEnd = findHeadEnd(bytes, 0);
  if (headEnd >= 0) orParseError(() => contentLengthOf(bytes, 0, headEnd));
  const message = orParseError(() => parseMessage(bytes));
  if (message instanceof ParseError) {
    const answer = answerMalformed(bytes, message, { address: "192.0.2.1", port: 5060 });
    if (answer !== undefined) assert.equal(findHeadEnd(answer.bytes, 0), answer.bytes.length);
    return undefined;
  }
  meaning(message);
  orParseError(() => bodyParts(message));
  if (message.kind === "request") {
    const response = makeResponse(message, 486, { toTag: "t" });
    assert.equal(response.callId, message.callId);
    parseMessage(makeAck(message, response));
    parseMessage(makeCancel(message));
    draftForward(message, { removeRoutes: 1, recordRoutes: ["<sip:p;lr>"] }).withVia("SIP/2.0/UDP p");
  }
  splice(message, { popVia: true });
  return message;
}

test("mutilated torture messages, throw nothing but ParseError and keep their meaning when printed", () => {
  let accepted = 0;
  for (let seed = 0; seed < 3000; seed++) {
    const next = random(seed);
    const bytes = mutilate(torture[next(torture.length)]!, next);
    try {
      const message = exercise(bytes);
      if (message === undefined) continue;
      accepted++;
      const once = parseMessage(printMessage(message));
      const twice = parseMessage(printMessage(once));
      assert.deepEqual(meaning(twice), meaning(once));
    } catch (error) {
      throw new Error(`seed ${seed}: ${JSON.stringify(new TextDecoder("latin1").decode(bytes))}`, {
        cause: error,
      });
    }
  }
  assert.ok(accepted > 300, `only ${accepted} were accepted`);
});

test("torture messages cut off anywhere, throw nothing but ParseError", () => {
  for (const bytes of torture) {
    for (let end = 0; end < Math.min(bytes.length, 700); end++) exercise(bytes.subarray(0, end));
  }
});

test("a message, means the same wherever in a buffer its bytes begin and whatever stands around them", () => {
  const room = new Uint8Array(65536).fill(13);
  for (const message of torture) {
    const expected = orParseError(() => meaning(parseMessage(message)));
    for (const start of [1, 2, 3]) {
      room.set(message, start);
      const moved = room.subarray(start, start + message.length);
      assert.deepEqual(
        orParseError(() => meaning(parseMessage(moved))),
        expected,
      );
      moved.fill(13);
    }
  }
});

test("noise, throws nothing but ParseError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      exercise(bytes);
    }),
  );
});

// Parts of messages that are valid by construction.
const word = fc.stringMatching(/^[A-Za-z0-9.!%*_+`'~-]{1,12}$/);
const host = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]`),
);
const userText = fc
  .string({ unit: "binary", minLength: 1, maxLength: 12 })
  .filter((text) => text.isWellFormed());
const uriParams = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), userText, { maxKeys: 3 });
const sipUri = fc
  .record({
    scheme: fc.constantFrom("sip" as const, "sips" as const),
    user: fc.option(userText, { nil: undefined }),
    host,
    port: fc.option(fc.integer({ min: 0, max: 65535 }), { nil: undefined }),
    params: uriParams,
    headers: uriParams,
  })
  .map(({ host: name, params, headers, ...rest }) => ({
    ...rest,
    host: name.replace(/[[\]]/g, "").toLowerCase(),
    params: new Map(Object.entries(params)),
    headers: new Map(Object.entries(headers)),
  }));

test("§19.1, any SIP URI, printed and read, is the same", () => {
  fc.assert(
    fc.property(sipUri, (uri) => {
      assert.deepEqual(plain(parseUri(printUri(uri))), plain(uri));
    }),
  );
});

const display = fc
  .string({ unit: "grapheme", maxLength: 20 })
  .map((text) => text.replace(/[\r\n]/g, "").trim());

test("§25.1, any name-addr, printed and read, is the same", () => {
  fc.assert(
    fc.property(
      sipUri,
      display,
      fc.dictionary(
        word.map((name) => name.toLowerCase()),
        display,
        { maxKeys: 3 },
      ),
      (uri, displayName, params) => {
        const { tag: _, ...others } = params;
        const value = {
          ...(displayName === "" ? {} : { displayName }),
          uri,
          params: new Map(Object.entries(others)),
        };
        assert.deepEqual(plain(parseNameAddr(printNameAddr(value))), plain(value));
      },
    ),
  );
});

test("§20.42, any Via, printed and read, is the same", () => {
  fc.assert(
    fc.property(
      host,
      fc.option(fc.integer({ min: 0, max: 65535 }), { nil: undefined }),
      word,
      fc.boolean(),
      (name, port, branch, rport) => {
        const via = parseVia(
          printVia({
            transport: "TLS",
            host: name.replace(/[[\]]/g, "").toLowerCase(),
            ...(port === undefined ? {} : { port }),
            branch,
            ...(rport ? { rport: true } : {}),
          }),
        );
        assert.deepEqual(plain(parseVia(printVia(via))), plain(via));
        assert.equal(via.branch, branch);
        assert.equal(via.port, port);
      },
    ),
  );
});

test("§20, typed values of the torture messages, printed and read, are the same", () => {
  for (const bytes of torture) {
    const message = orParseError(() => parseMessage(bytes));
    if (message instanceof ParseError) continue;
    for (const { name } of headerEntries) {
      const values = orParseError((): readonly unknown[] => message.headers.getAll(name));
      if (values instanceof ParseError) continue;
      for (const value of values) {
        const printed: string = printHeaderValue(name, value as never);
        const added: SipMessage = parseMessage(splice(message, { remove: [name], add: [[name, printed]] }));
        // RFC 5118 §4.5: brackets around received are read, but not written.
        const read = (one: unknown): unknown =>
          JSON.parse(JSON.stringify(plain(one)).replace(/"\[([0-9a-f:]+)\]"/, '"$1"'));
        assert.deepEqual(added.headers.getAll(name).map(read), [read(value)], `${name}: ${printed}`);
      }
    }
  }
});

/** White space and folds that mean nothing. */
const gap = fc.constantFrom("", " ", "\t", "  ", "\r\n ", " \r\n\t ");
const viaText = fc
  .tuple(host, word, gap)
  .map(([name, branch, space]) => `SIP/2.0/UDP ${name}${space};${space}branch=${branch}x`);
const field = fc.oneof(
  fc
    .tuple(fc.constantFrom("Via", "v", "VIA "), fc.array(viaText, { minLength: 1, maxLength: 3 }), gap)
    .map(([name, values, space]) => `${name}:${space}${values.join(`${space},${space}`)}`),
  fc
    .tuple(word, display, gap)
    .filter(
      ([name]) =>
        !headerEntries.some(
          (entry) => entry.name.toLowerCase() === name.toLowerCase() || entry.compact === name.toLowerCase(),
        ),
    )
    .map(([name, value, space]) => `${name}${space.includes("\r") ? "" : space}:${space}${value}`),
  fc
    .tuple(
      fc.constantFrom("Route", "ROUTE", "Record-Route", "Path"),
      fc.array(host, { minLength: 1, maxLength: 3 }),
      gap,
    )
    .map(
      ([name, hosts, space]) =>
        `${name}:${space}${hosts.map((one) => `"a,b" <sip:${one};lr>`).join(`${space},`)}`,
    ),
);
const messageText = fc
  .tuple(fc.array(field, { maxLength: 8 }), viaText, fc.string({ maxLength: 20 }))
  .map(([fields, via, body]) =>
    [
      "INVITE sip:b@c SIP/2.0",
      ...fields,
      `Via:${via}`,
      "f: <sip:a@b>;tag=1",
      "To: <sip:b@c>",
      "Call-ID: x",
      "CSeq: 1 INVITE",
      "Max-Forwards:  9",
      "",
      body,
    ].join("\r\n"),
  );
const edits: fc.Arbitrary<Edits> = fc.record(
  {
    pushVia: fc.constant("SIP/2.0/TCP p;branch=z9hG4bKp"),
    popVia: fc.boolean(),
    received: fc.constant("192.0.2.1"),
    rport: fc.constant(5060),
    requestUri: fc.constant("sip:x@y"),
    maxForwards: fc.integer({ min: 0, max: 255 }),
    removeRoutes: fc.integer({ min: 0, max: 5 }),
    pushRoutes: fc.constant(["<sip:r1;lr>"]),
    recordRoutes: fc.constant(["<sip:p;lr>", "<sip:q;lr>"]),
    path: fc.constant(["<sip:p;lr>"]),
    add: fc.constant([["X-Added", "1"]] as const),
  },
  { requiredKeys: [] },
);

test("§16.6, a spliced message, differs from its source in the edits only", () => {
  fc.assert(
    fc.property(messageText, edits, (text, edit) => {
      const bytes = new TextEncoder().encode(text);
      const message = parseMessage(bytes);
      if (message.kind !== "request") return;
      const out = splice(message, edit);
      // As read, each edited list is what it was with the edit done.
      const vias = message.headers.getAll("Via").map((via) => printVia(via));
      if (edit.popVia === true) vias.shift();
      else if (edit.received !== undefined || edit.rport !== undefined) {
        vias[0] = printVia({
          ...message.topVia,
          ...(edit.received === undefined ? {} : { received: edit.received }),
          ...(edit.rport === undefined ? {} : { rport: edit.rport }),
        });
      }
      if (edit.pushVia !== undefined) vias.unshift(edit.pushVia);
      if (vias.length === 0) return;
      const spliced = parseMessage(out);
      assert.ok(spliced.kind === "request");
      assert.deepEqual(
        spliced.headers.getAll("Via").map((via) => printVia(via)),
        vias,
      );
      const list = (from: SipMessage, name: "Route" | "Record-Route" | "Path") =>
        from.headers.getAll(name).map(printNameAddr);
      assert.deepEqual(list(spliced, "Route"), [
        ...(edit.pushRoutes ?? []),
        ...list(message, "Route").slice(edit.removeRoutes ?? 0),
      ]);
      assert.deepEqual(list(spliced, "Record-Route"), [
        ...(edit.recordRoutes ?? []),
        ...list(message, "Record-Route"),
      ]);
      assert.deepEqual(list(spliced, "Path"), [...(edit.path ?? []), ...list(message, "Path")]);
      assert.equal(spliced.requestUriText, edit.requestUri ?? message.requestUriText);
      assert.equal(spliced.maxForwards, edit.maxForwards ?? message.maxForwards);
      // All other lines are there byte for byte, in their order.
      const touched = /^(via|v|route|record-route|path|max-forwards|x-added)[ \t]*:/i;
      const others = (raw: Uint8Array) =>
        new TextDecoder("latin1")
          .decode(raw)
          .split(/\r\n(?![ \t])/)
          .slice(1)
          .filter((line) => !touched.test(line));
      assert.deepEqual(others(out), others(bytes));
      if (Object.keys(edit).length === 0) assert.deepEqual(out, bytes);
    }),
    { numRuns: 300 },
  );
});

// what, how the hostile message grows
const hostile: [string, (size: number) => string][] = [
  ["folds", (n) => `X: ${"\r\n ".repeat(n)}y`],
  ["commas", (n) => `Supported: ${"a,".repeat(n)}a`],
  ["quotes left open", (n) => `Contact: ${'"\\'.repeat(n)}`],
  ["parameters", (n) => `Contact: <sip:a@b>${";a=b".repeat(n)}`],
  ["nested comments", (n) => `Retry-After: 1 ${"(".repeat(n)}`],
  ["open brackets", (n) => `Route: ${"<sip:a>,".repeat(n)}<`],
  ["escapes", (n) => `Contact: <sip:${"%00".repeat(n)}@b>`],
  ["colons", (n) => `Via: SIP/2.0/UDP [${":".repeat(n)}]`],
  ["blanks", (n) => `Via: SIP/2.0/UDP h${" ".repeat(n)}x`],
  ["dashes", (n) => `Authorization: Digest ${"a-".repeat(n)}`],
  ["equal signs", (n) => `Authorization: Bearer ${"=".repeat(n)}x`],
  ["digits", (n) => `Max-Forwards: ${"0".repeat(n)}1x`],
];
for (const [what, grow] of hostile) {
  test(`a header full of ${what}, costs time in proportion to its length`, () => {
    const limits = { messageSize: 1e7, headerCount: 256, lineLength: 1e7, uriLength: 2048 };
    const time = (size: number) => {
      const bytes = new TextEncoder().encode(
        `OPTIONS sip:a@b SIP/2.0\r\n${grow(size)}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n`,
      );
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < 3; round++) {
        const before = process.cpuUsage();
        const message = orParseError(() => parseMessage(bytes, limits));
        if (message instanceof ParseError) answerMalformed(bytes, message);
        else meaning(message);
        const { user, system } = process.cpuUsage(before);
        best = Math.min(best, user + system);
      }
      return best;
    };
    time(20000);
    // Sixteen times the length: quadratic work would take 256 times as long.
    const ratio = time(160000) / Math.max(500, time(10000));
    assert.ok(ratio < 80, `16 times the length took ${ratio.toFixed(0)} times as long`);
  });
}

test("a broken Via full of blanks, costs no more than one full of letters", () => {
  const time = (filling: string) => {
    const via = `SIP/2.0/UDP h ${filling.repeat(1000)}?`;
    const bytes = new TextEncoder().encode(`OPTIONS sip:a@b SIP/2.0\r\nVia: ${via}\r\n\r\n`);
    const error = orParseError(() => parseMessage(bytes)) as ParseError;
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 3; round++) {
      const before = process.cpuUsage();
      for (let i = 0; i < 100; i++) answerMalformed(bytes, error);
      const { user, system } = process.cpuUsage(before);
      best = Math.min(best, user + system);
    }
    return best;
  };
  time("x");
  const ratio = time(" ") / Math.max(500, time("x"));
  assert.ok(ratio < 8, `it took ${ratio.toFixed(0)} times as long`);
});
