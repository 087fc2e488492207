// The user agent client and a failure: whether the request is sent again, and what is different then. RFC 3261 §8.1.3.1,
// §8.1.3.2, §8.1.3.5.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseUri, printMultipart, type SipRequest } from "../message/index.ts";
import { challenge, credentials, exchange, once, sdp, short, text } from "./exchange.test.kit.ts";

describe("§8.1.3.1: nobody answers", () => {
  it("a timeout is a 408 made here", async () => {
    const { code, context } = await exchange(once(200), { uri: "sip:bob@10.0.0.99" });
    assert.deepEqual(
      [code, context.origin, context.sent.requestUriText],
      [408, "timeout", "sip:bob@10.0.0.99"],
    );
  });
  it("no address is a 503 made here", async () => {
    const { code, context } = await exchange(once(200), { uri: "sip:bob@nowhere.example" });
    assert.deepEqual([code, context.origin, context.sent.cSeq.sequence], [503, "transport", 1]);
    assert.match(String(context.error), /nowhere/);
  });
});

const content = (r: SipRequest) => [r.headers.raw("Content-Type"), new TextDecoder().decode(r.body)];

describe("§8.1.3.5: retries", () => {
  // section, failure, request, what is different the second time
  const rows: [
    string,
    Parameters<typeof once>,
    Parameters<typeof exchange>[1],
    (second: SipRequest) => unknown,
    unknown,
  ][] = [
    [
      "§22.2: 401",
      [401, challenge("r", "n")],
      { credentials },
      (r) => /username="alice", realm="r", nonce="n"/.test(r.headers.raw("Authorization") ?? ""),
      true,
    ],
    [
      "§22.3: 407",
      [407, ["Proxy-Authenticate", 'Digest realm="p", nonce="n"']],
      { credentials },
      (r) => r.headers.has("Proxy-Authorization"),
      true,
    ],
    [
      "§21.4.14: 416 for a tel: URI",
      [416],
      { uri: "tel:+1-555;ext=2" },
      (r) => r.requestUriText,
      "sip:+1-555;ext=2@home.example;user=phone",
    ],
    [
      "§21.4.15: 420",
      [420, ["Unsupported", "fancy"]],
      { headers: [["Require", "fancy, path"]] },
      (r) => r.headers.raw("Require"),
      "path",
    ],
    [
      "§21.4.15: 420, the only one",
      [420, ["Unsupported", "fancy"]],
      { headers: [["Proxy-Require", "fancy"]] },
      (r) => r.headers.has("Proxy-Require"),
      false,
    ],
    [
      "§21.4.16: 421",
      [421, ["Require", "timer"]],
      { headers: [["Supported", "path"]], uac: { supported: ["path", "timer"] } },
      (r) => r.headers.raw("Supported"),
      "path, timer",
    ],
    [
      "§21.4.17: 423",
      [423, ["Min-Expires", "120"]],
      {
        method: "REGISTER",
        headers: [
          ["Expires", 60],
          ["Contact", "<sip:a@10.0.0.1>;expires=60"],
        ],
      },
      (r) => [r.headers.raw("Expires"), r.headers.raw("Contact")],
      ["120", "<sip:a@10.0.0.1>;expires=120"],
    ],
    [
      "§21.4.17: 423 without Min-Expires",
      [423],
      { method: "REGISTER", headers: [["Expires", 60]] },
      (r) => r.headers.raw("Expires"),
      "3600",
    ],
    [
      "§21.3.4: 305",
      [305, ["Contact", "<sip:10.0.0.3>"]],
      {},
      (r) => [r.requestUriText, r.headers.raw("Route")],
      ["sip:bob@10.0.0.2", "<sip:10.0.0.3;lr>"],
    ],
    [
      "§21.4.7: 406",
      [406],
      { headers: [["Accept", "text/plain"]] },
      (r) => r.headers.raw("Accept"),
      "text/plain, application/sdp",
    ],
    [
      "§21.4.11: 413, a shorter alternative",
      [413],
      { ...text, alternatives: [{ body: "longer than the first", contentType: "a/b" }, short] },
      content,
      ["text/plain", "short"],
    ],
    ["§21.4.11: 413, no body", [413], { method: "OPTIONS", ...text }, content, [undefined, ""]],
    ["§21.4.11: 413, an INVITE without offer", [413], { method: "INVITE", ...sdp }, content, [undefined, ""]],
    [
      "§21.4.11: 413 for now: the same",
      [413, ["Retry-After", 5]],
      text,
      content,
      ["text/plain", "a long text"],
    ],
    [
      "§21.4.13: 415, an alternative of that type",
      [415, ["Accept", "text/*;q=0.5, image/png;q=0"]],
      { ...sdp, alternatives: [{ body: "i", contentType: "image/png" }, short] },
      content,
      ["text/plain", "short"],
    ],
    [
      "§21.4.13: 415, an alternative that is not encoded",
      [415, ["Accept-Encoding", "identity"]],
      { ...text, headers: [["Content-Encoding", "gzip"]], alternatives: [short] },
      (r) => [...content(r), r.headers.has("Content-Encoding")],
      ["text/plain", "short", false],
    ],
    [
      "§21.4.13: 415, an alternative in that language",
      [415, ["Accept-Language", "zh-tw"]],
      {
        ...text,
        headers: [["Content-Language", "en"]],
        alternatives: [{ ...short, headers: [["Content-Language", "zh-TW"]] }],
      },
      (r) => r.headers.raw("Content-Language"),
      "zh-TW",
    ],
    [
      "RFC 5621 §4.2: 415 for a multipart body, the part that is taken",
      [415, ["Accept", "application/sdp"]],
      {
        contentType: "multipart/mixed;boundary=b",
        body: printMultipart(
          [
            { type: "application/isup", body: "isup" },
            { type: "application/sdp", body: "v=0" },
          ],
          "b",
        ),
      },
      content,
      ["application/sdp", "v=0"],
    ],
    [
      "RFC 4028 §7.3: 422",
      [422, ["Min-SE", 120]],
      { method: "INVITE", headers: [["Session-Expires", "90;refresher=uac"]] },
      (r) => [r.headers.raw("Session-Expires"), r.headers.raw("Min-SE")],
      ["120;refresher=uac", "120"],
    ],
    [
      "§21.4.26: 488, another offer",
      [488],
      { method: "INVITE", ...sdp, alternatives: [short, { body: "v=1", contentType: "application/sdp" }] },
      content,
      ["application/sdp", "v=1"],
    ],
    [
      "§21.6.4: 606, another offer",
      [606],
      { method: "INVITE", ...sdp, alternatives: [{ body: "v=1", contentType: "application/sdp" }] },
      content,
      ["application/sdp", "v=1"],
    ],
    ["§21.5.1: 500", [500, ["Retry-After", 0]], text, content, ["text/plain", "a long text"]],
    ["§21.5.1: 500 without Retry-After", [500], { method: "OPTIONS" }, (r) => r.method, "OPTIONS"],
    ["§21.5.4: 503", [503, ["Retry-After", 3]], text, content, ["text/plain", "a long text"]],
    ["§21.5.7: 513", [513], { ...text, alternatives: [short] }, content, ["text/plain", "short"]],
    [
      "§8.1.3.2: 399, an unknown 3xx, as 300",
      [399, ["Contact", "<sip:carol@10.0.0.3>"]],
      {},
      (r) => r.requestUriText,
      "sip:carol@10.0.0.3",
    ],
    ["§8.1.3.2: 599, an unknown 5xx, as 500", [599, ["Retry-After", 2]], {}, (r) => r.method, "MESSAGE"],
    [
      "§8.1.3.4: 302",
      [302, ["Contact", "<sip:carol@10.0.0.3?Subject=moved&From=evil>"]],
      {},
      (r) => [r.requestUriText, r.headers.raw("Subject"), r.from.uri],
      ["sip:carol@10.0.0.3", "moved", parseUri("sip:alice@home.example")],
    ],
  ];
  for (const [title, failure, options, read, expected] of rows) {
    it(`${title}: again, changed: 200`, async () => {
      const { requests, code } = await exchange(once(...failure), options);
      assert.equal(code, 200);
      assert.equal(requests.length, 2);
      const [first, second] = requests;
      assert(first !== undefined && second !== undefined);
      assert.deepEqual(read(second), expected);
      // A new transaction of the same Call-ID, tags and all; CSeq one higher; no To tag outside dialogs.
      assert.deepEqual(
        [second.callId, second.from.tag, second.to.tag],
        [first.callId, first.from.tag, undefined],
      );
      assert.equal(second.cSeq.sequence, first.cSeq.sequence + 1);
      assert.notEqual(second.topVia.branch, first.topVia.branch);
    });
  }

  // failure, request: what must not be tried again
  const hopeless: [string, Parameters<typeof once>, Parameters<typeof exchange>[1]][] = [
    ["401 without credentials", [401, challenge("r", "n")], {}],
    ["416 for a sips: URI is never sent as sip:", [416], { uri: "sip:bob@10.0.0.2" }],
    ["420 for what was not asked", [420, ["Unsupported", "fancy"]], { headers: [["Require", "path"]] }],
    ["421 for what is not implemented", [421, ["Require", "fancy"]], {}],
    ["491 outside a dialog", [491], {}],
    ["302 to something that is no SIP URI", [302, ["Contact", "<mailto:bob@x>"]], {}],
    ["302 to the address that was asked", [302, ["Contact", "<sip:bob@10.0.0.2>"]], {}],
    [
      "302 with redirects switched off",
      [302, ["Contact", "<sip:bob@10.0.0.3>"]],
      { uac: { followRedirects: false } },
    ],
    ["302 inside a dialog", [302, ["Contact", "<sip:bob@10.0.0.3>"]], { dialog: "owner" }],
    ["404", [404], {}],
    ["305 to two proxies", [305, ["Contact", "<sip:10.0.0.3>, <sip:10.0.0.4>"]], {}],
    [
      "305 with redirects switched off",
      [305, ["Contact", "<sip:10.0.0.3>"]],
      { uac: { followRedirects: false } },
    ],
    ["406 for what can be read", [406], { headers: [["Accept", "application/sdp"]] }],
    ["413 for what means nothing without a body", [413], text],
    ["413 for a re-INVITE", [413], { method: "INVITE", ...sdp, dialog: "owner" }],
    ["413 for longer than anybody waits", [413, ["Retry-After", 33]], text],
    [
      "415 that names what was sent (disposition)",
      [415, ["Accept", "text/plain"]],
      { ...text, alternatives: [short] },
    ],
    ["415 that names nothing", [415], { ...text, alternatives: [short] }],
    ["415 with nothing of that type", [415, ["Accept", "image/png"]], { ...text, alternatives: [short] }],
    ["422 without Min-SE", [422], { method: "INVITE" }],
    ["488 without another offer", [488], { method: "INVITE", ...sdp, alternatives: [short] }],
    ["500 without Retry-After", [500], {}],
    ["500 to a BYE", [500, ["Retry-After", 1]], { method: "BYE", dialog: "owner" }],
    ["503 without Retry-After", [503], {}],
    ["503 for longer than anybody waits", [503, ["Retry-After", 3600]], {}],
    ["503 in a dialog for longer than its 10 s", [503, ["Retry-After", 11]], { dialog: "other" }],
    ["513 with nothing shorter", [513], text],
    ["an unknown 4xx", [499], {}],
    ["603", [603], {}],
  ];
  for (const [title, failure, options] of hopeless) {
    it(`${title}: not again`, async () => {
      const { requests, code, retries } = await exchange(once(...failure), options);
      assert.deepEqual([code, requests.length, retries], [failure[0], 1, []]);
    });
  }
});
