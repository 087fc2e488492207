// What a user agent answers to requests that it does not take: by method, over UDP and TCP. RFC 3261 §8.2, §11.2, §21.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SipResponse } from "../message/index.ts";
import { type Asked, isup, meet, multipart, parts, sdp, sdpPart } from "./scripted-caller.test.kit.ts";
import type { UserAgentOptions } from "./user-agent-options.ts";

/** ContentInfo of EnvelopedData and of SignedData, as far as their type. */
const der = (last: string) => `\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07${last}`;
const calls = ["INVITE", "OPTIONS"];
const all = ["INVITE", "OPTIONS", "MESSAGE"];

/** Section and what is odd · methods · user agent · request · status and phrase · header that must be there. */
type Row = [
  string,
  readonly string[],
  Partial<UserAgentOptions>,
  Asked,
  number | string,
  (readonly [string, RegExp])?,
];

const rows: Row[] = [
  ["§13.3.1.3: nothing odd: the person's own choice", ["INVITE"], {}, {}, 486],
  ["§11.2: nothing odd", ["OPTIONS"], {}, {}, 200, ["Accept", /^application\/sdp/]],
  ["§21.4.1: no Contact", ["INVITE"], {}, { contact: "" }, "400 Missing Contact", ["Warning", /^399 /]],
  ["§8.1.1.8: Contact: *", ["INVITE"], {}, { contact: "*" }, 400],
  ["§21.4.1: an offer that cannot be read", calls, {}, { contentType: "application/sdp", body: "v=9" }, 400],
  ["§7.4.1: a multipart body that is none", all, {}, { contentType: multipart, body: "x" }, 400],
  ["RFC 5630 §5.1.2: SIP Contact, SIPS Request-URI", ["INVITE"], {}, { uri: "sips:BOB" }, 400],
  ["§8.2.2.1: To by policy", all, { acceptsTo: () => false }, {}, 403],
  ["§21.4.4: a caller who is not wanted", all, { acceptsFrom: () => false }, {}, 403],
  ["§8.2.2.1: an unknown user", all, {}, { uri: "sip:carol@10.0.0.1" }, 404],
  ["§8.2.1: a method that is not allowed", ["PUBLISH", "REGISTER"], {}, {}, 405, ["Allow", /ACK, CANCEL/]],
  [
    "§8.2.1: allowed elsewhere",
    ["MESSAGE", "OPTIONS"],
    { allow: ["INFO"] },
    {},
    405,
    ["Allow", /BYE, INFO$/],
  ],
  [
    "§21.4.7: Accept without SDP",
    ["INVITE"],
    {},
    { headers: [["Accept", "text/plain"]] },
    406,
    ["Warning", /sdp/],
  ],
  ["§20.1: an empty Accept", ["INVITE"], {}, { headers: [["Accept", ""]] }, 406],
  [
    "§20.1: SDP shut out by q=0",
    ["INVITE"],
    {},
    { headers: [["Accept", "application/sdp;q=0.0, a/b"]] },
    406,
  ],
  ["§20.1: a range that SDP is in", ["INVITE"], {}, { headers: [["Accept", "application/*;q=0.2"]] }, 486],
  [
    "§21.4.7: nothing comes back that could be unacceptable",
    ["OPTIONS"],
    {},
    { headers: [["Accept", "a/b"]] },
    200,
  ],
  ["§21.4.11: a long body", all, { maxBody: 4 }, { contentType: "application/sdp", body: "v=0\r\n" }, 413],
  [
    "§21.4.12: a long Request-URI",
    all,
    { limits: { uriLength: 60 } },
    { uri: `sip:${"b".repeat(70)}@h` },
    414,
  ],
  [
    "§8.2.3: type",
    calls,
    {},
    { contentType: "text/html", body: "<p>" },
    415,
    ["Accept", /^application\/sdp, mul/],
  ],
  [
    "§8.2.3: encoding",
    calls,
    {},
    { contentType: "application/sdp", headers: [["Content-Encoding", "gzip"]], body: "x" },
    415,
    ["Accept-Encoding", /^identity$/],
  ],
  [
    "§8.2.3: language",
    calls,
    { languages: ["en", "zh-TW"] },
    { contentType: "application/sdp", headers: [["Content-Language", "fr"]], body: sdp },
    415,
    ["Accept-Language", /^en, zh-tw$/],
  ],
  [
    "§8.2.3: language that is known",
    ["OPTIONS"],
    { languages: ["en"] },
    { contentType: "application/sdp", headers: [["Content-Language", "fr, en-GB"]], body: sdp },
    200,
  ],
  [
    "RFC 5621 §8.1: disposition",
    calls,
    {},
    { contentType: "application/sdp", headers: [["Content-Disposition", "early-session"]], body: sdp },
    415,
  ],
  [
    "§20.11: optional",
    ["OPTIONS"],
    {},
    { contentType: "text/html", headers: [["Content-Disposition", "render;handling=optional"]], body: "<p>" },
    200,
  ],
  [
    "RFC 5621 §4.2: a part that has to be understood",
    calls,
    {},
    { contentType: multipart, body: parts(sdpPart, isup("required")) },
    415,
    ["Accept", /application\/sdp/],
  ],
  [
    "RFC 5621 §4.2: optional parts",
    ["OPTIONS"],
    {},
    { contentType: multipart, body: parts(isup("optional"), sdpPart) },
    200,
  ],
  [
    "RFC 2046 §5.1.4: one version of several",
    ["OPTIONS"],
    {},
    { contentType: "multipart/alternative;boundary=b", body: parts("Content-Type: a/b\r\n\r\nx", sdpPart) },
    200,
  ],
  ["§21.4.14: another scheme", all, {}, { uri: "mailto:bob@10.0.0.1" }, 416],
  [
    "§8.2.2.3: Require",
    all,
    {},
    { headers: [["Require", "100rel, fancy"]] },
    420,
    ["Unsupported", /^fancy$/],
  ],
  [
    "RFC 3262 §3: reliable responses switched off",
    ["INVITE"],
    { reliableProvisionals: "off" },
    { headers: [["Require", "100rel"]] },
    420,
    ["Unsupported", /^100rel$/],
  ],
  [
    "§8.2.4: an extension that callers must have",
    calls,
    { requires: ["timer"] },
    {},
    421,
    ["Require", /^timer$/],
  ],
  [
    "§8.2.4: in Supported, with others",
    ["OPTIONS"],
    { requires: ["timer"] },
    { headers: [["Supported", "path, Timer"]] },
    200,
  ],
  ["RFC 3262: required", calls, { reliableProvisionals: "required" }, {}, 421, ["Require", /^100rel$/]],
  [
    "§21.4.18: do not disturb",
    calls,
    { doNotDisturb: true },
    {},
    "480 Temporarily Unavailable (do not disturb)",
  ],
  [
    "RFC 5630 §5.1.2: SIPS not wanted",
    all,
    { sips: "refused" },
    { uri: "sips:BOB" },
    "480 Temporarily Unavailable (SIPS Not Allowed)",
    ["Warning", /^380 /],
  ],
  ["RFC 5630 §5.1.2: SIP not wanted", all, { sips: "required" }, {}, 480, ["Warning", /^381 /]],
  ["§15.1.2: what is taken in calls only, outside one", ["BYE", "INFO", "UPDATE", "PRACK"], {}, {}, 481],
  ["§12.2.2: a dialog that is not here", [...all, "BYE", "INFO", "UPDATE", "PRACK"], {}, { toTag: "x" }, 481],
  ["§21.4.24: as many calls as there may be", calls, { maxCalls: 0 }, {}, 486],
  ["§21.6.1: and no other phone", calls, { maxCalls: 0, soleEndpoint: true }, {}, 600],
  [
    "§23.2: an encrypted body that says so",
    calls,
    { smime: "detect" },
    { contentType: "application/pkcs7-mime;smime-type=enveloped-data", body: "x" },
    493,
  ],
  [
    "RFC 8591 §7.3: authenticated too",
    calls,
    { smime: "detect" },
    { contentType: "application/pkcs7-mime;smime-type=authEnveloped-data", body: "x" },
    493,
  ],
  [
    "§23.2: an encrypted part that does not say so",
    calls,
    { smime: "detect" },
    { contentType: multipart, body: parts(`Content-Type: application/pkcs7-mime\r\n\r\n${der("\x03")}`) },
    493,
  ],
  [
    "§23.2: signed only",
    calls,
    { smime: "detect" },
    { contentType: "application/pkcs7-mime;smime-type=signed-data", body: "x" },
    415,
  ],
  [
    "§23.2: S/MIME is not known here",
    calls,
    {},
    { contentType: "application/pkcs7-mime;smime-type=enveloped-data", body: "x" },
    415,
    ["Accept", /sdp/],
  ],
  ["§21.5.2: a method that nobody knows", ["DANCE"], {}, {}, 501, ["Allow", /INVITE, ACK/]],
  ["§21.5.6: another version", [...all, "DANCE"], {}, { version: "7.0" }, 505],
  [
    "§21.5.7: a long message",
    ["INVITE", "MESSAGE"],
    { limits: { messageSize: 500 } },
    { contentType: "text/plain", body: "x".repeat(600) },
    513,
  ],
  ["§21.6.3: known to exist nowhere", all, { existsNowhere: ({ scheme }) => scheme === "sip" }, {}, 604],
];

for (const transport of ["UDP", "TCP"] as const) {
  describe(`what is refused over ${transport}`, () => {
    for (const [title, methods, options, asked, expected, header] of rows) {
      for (const method of methods) {
        it(`${title}: ${method}: ${expected}`, async () => {
          const { bed, bob, wire, write, final, ack } = await meet(transport, options);
          bob.ua.onInvite((call) => call.reject(486));
          if (method === "MESSAGE" || method === "PUBLISH")
            bob.ua.onRequest("MESSAGE", (incoming) => {
              throw new Error(`not to be taken: ${incoming.request.method}`);
            });
          // What a handler takes is for the handler to refuse, apart from the container.
          if (method === "MESSAGE" && asked.contentType === multipart) {
            await wire.close();
            return;
          }
          write({ method, ...asked });
          const response = await final();
          const shown = typeof expected === "number" ? response.statusCode : statusLine(response);
          assert.equal(shown, expected);
          if (header !== undefined) assert.match(response.headers.raw(header[0]) ?? "", header[1]);
          // §8.2.6.2.
          assert.notEqual(response.to.tag, undefined);
          ack(response);
          await wire.close();
          await bed.close();
          assert.deepEqual(bed.errors, []);
          assert.deepEqual(bed.leftovers, []);
        });
      }
    }
  });
}

function statusLine({ statusCode, reasonPhrase }: SipResponse): string {
  return `${statusCode} ${reasonPhrase}`;
}

describe("§8.2: what counts if several things are odd", () => {
  // Each is right but for what comes after it in this order.
  const order: [number, Asked, Partial<UserAgentOptions>][] = [
    [413, { contentType: "text/html", body: "<p>" }, { maxBody: 2 }],
    [405, { method: "PUBLISH" }, {}],
    [403, {}, { acceptsFrom: () => false }],
    [416, { uri: "mailto:bob@10.0.0.1" }, {}],
    [404, { uri: "sip:carol@10.0.0.1" }, {}],
    [420, { headers: [["Require", "fancy"]] }, {}],
    [415, { contentType: "text/html", body: "<p>" }, {}],
    [421, {}, { requires: ["timer"] }],
    [406, { headers: [["Accept", "text/plain"]] }, {}],
    [480, {}, { doNotDisturb: true }],
  ];
  for (const [index, [code, asked, options]] of order.entries()) {
    for (const [other, askedToo, optionsToo] of order.slice(index + 1)) {
      if (asked.uri !== undefined && askedToo.uri !== undefined) continue;
      it(`${code} before ${other}`, async () => {
        const { bed, bob, wire, write, final, ack } = await meet("UDP", { ...optionsToo, ...options });
        bob.ua.onInvite((call) => call.reject(486));
        const headers = [...(asked.headers ?? []), ...(askedToo.headers ?? [])];
        write({ ...askedToo, ...asked, headers });
        const response = await final();
        assert.equal(response.statusCode, code);
        ack(response);
        await wire.close();
        await bed.close();
      });
    }
  }

  it("482 before 420: a request that came by two ways", async () => {
    const { bed, bob, wire, write, final, ack } = await meet("UDP", {});
    bob.ua.onInvite((call) => call.reject(486));
    const odd: Asked = { method: "OPTIONS", headers: [["Require", "fancy"]] };
    for (const [branch, code] of [
      ["1", 420],
      ["2", 482],
    ] as const) {
      write(odd, branch);
      const response = await final();
      assert.equal(response.statusCode, code);
      ack(response);
    }
    await wire.close();
    await bed.close();
  });
});
