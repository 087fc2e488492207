// Dialogs by RFC 3261 §12: how they come about, what they send, what they take.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { draftRequest, parseMessage, printUri, type SipRequest, type SipResponse } from "../message/index.ts";
import type { IncomingRequest } from "../stack.ts";
import { Dialog } from "./dialog.ts";
import { Dialogs } from "./dialogs.ts";

function request(
  headers: readonly string[] = [],
  line = "INVITE sip:bob@biloxi.example SIP/2.0",
): SipRequest {
  const method = line.split(" ", 1)[0];
  const text = [
    line,
    "Via: SIP/2.0/UDP pc33.atlanta.example;branch=z9hG4bKnashds8",
    "Max-Forwards: 70",
    'From: "Alice" <sip:alice@atlanta.example>;tag=a1',
    "To: Bob <sip:bob@biloxi.example>",
    "Call-ID: a84b4c76e66710",
    `CSeq: 314159 ${method}`,
    "Contact: <sip:alice@pc33.atlanta.example>",
    ...headers,
    "",
    "",
  ];
  return parseMessage(new TextEncoder().encode(text.join("\r\n"))) as SipRequest;
}

function response(status: string, headers: readonly string[] = [], toTag = ";tag=b1"): SipResponse {
  const text = [
    `SIP/2.0 ${status}`,
    "Via: SIP/2.0/UDP pc33.atlanta.example;branch=z9hG4bKnashds8",
    'From: "Alice" <sip:alice@atlanta.example>;tag=a1',
    `To: Bob <sip:bob@biloxi.example>${toTag}`,
    "Call-ID: a84b4c76e66710",
    "CSeq: 314159 INVITE",
    ...headers,
    "",
    "",
  ];
  return parseMessage(new TextEncoder().encode(text.join("\r\n"))) as SipResponse;
}

/** What the next request of the dialog looks like on the wire. */
function sentBy(dialog: Dialog, method = "BYE"): SipRequest {
  const plan = dialog.plan(method);
  const draft = draftRequest({
    ...plan,
    headers: [...plan.headers, ["CSeq", `${plan.nextSequence()} ${method}`]],
  });
  return parseMessage(draft.withVia("SIP/2.0/UDP h;branch=z9hG4bKx")) as SipRequest;
}

const proxies = ["Record-Route: <sip:p2.example;lr;x=1>, <sip:p1.example;lr>;y=2"];

describe("§19.1.1: a Contact with a method and header fields", () => {
  const contact = "Contact: <sip:bob@192.0.2.4;method=INVITE;x=1?Subject=a%0d%0ab>";
  const invite = parseMessage(
    new TextEncoder().encode(new TextDecoder().decode(request().bytes).replace(/^Contact: .*$/m, contact)),
  ) as SipRequest;
  const confirmed = Dialog.asUac(request(), response("180 Ringing"));
  confirmed.confirm(response("200 OK", [contact]));
  const refreshed = Dialog.asUac(request(), response("200 OK"));
  refreshed.refreshTarget(response("200 OK", [contact]));
  for (const [title, dialog] of [
    ["of the callee", Dialog.asUac(request(), response("200 OK", [contact]))],
    ["of the caller", Dialog.asUas(invite, "b1", "confirmed")],
    ["that comes with the 2xx", confirmed],
    ["of a target refresh", refreshed],
  ] as const) {
    it(`${title}: requests leave without them`, () => {
      assert.equal(sentBy(dialog).requestUriText, "sip:bob@192.0.2.4;x=1");
    });
  }
});

describe("§12.1.2: the caller's dialog", () => {
  it("takes tags, sequence, target; the route set backwards", () => {
    const dialog = Dialog.asUac(
      request(),
      response("180 Ringing", ["Contact: <sip:bob@192.0.2.4>", ...proxies]),
    );
    assert.deepEqual(
      [
        dialog.callId,
        dialog.localTag,
        dialog.remoteTag,
        dialog.localSequence,
        dialog.remoteSequence,
        dialog.state,
      ],
      ["a84b4c76e66710", "a1", "b1", 314159, undefined, "early"],
    );
    assert.equal(printUri(dialog.remoteTarget), "sip:bob@192.0.2.4");
    assert.deepEqual(
      dialog.routeSet.map((route) => route.text),
      ["<sip:p1.example;lr>;y=2", "<sip:p2.example;lr;x=1>"],
    );
  });

  it("§13.2.2.4: the 2xx replaces the route set and the target of the early dialog", () => {
    const dialog = Dialog.asUac(
      request(),
      response("180 Ringing", ["Contact: <sip:bob@192.0.2.4>", ...proxies]),
    );
    dialog.confirm(response("200 OK", ["Contact: <sip:bob@192.0.2.5>"]));
    assert.deepEqual(
      [dialog.state, dialog.routeSet.length, printUri(dialog.remoteTarget)],
      ["confirmed", 0, "sip:bob@192.0.2.5"],
    );
  });

  it("§12.1.2: no To tag (RFC 2543): the remote tag is empty and left out", () => {
    const dialog = Dialog.asUac(request(), response("200 OK", ["Contact: <sip:bob@192.0.2.4>"], ""));
    assert.equal(dialog.remoteTag, "");
    assert.equal(sentBy(dialog).headers.raw("To"), "Bob <sip:bob@biloxi.example>");
  });

  it("§12.1.2: secure only with sips: over TLS", () => {
    const sips = request([], "INVITE sips:bob@biloxi.example SIP/2.0");
    const ok = response("200 OK", ["Contact: <sips:bob@192.0.2.4>"]);
    assert.equal(Dialog.asUac(sips, ok, true).isSecure, true);
    assert.equal(Dialog.asUac(sips, ok, false).isSecure, false);
    assert.equal(Dialog.asUac(request(), ok, true).isSecure, false);
  });
});

describe("§12.1.1: the callee's dialog", () => {
  it("takes tags, sequence, target; the route set as it stands", () => {
    const dialog = Dialog.asUas(request(proxies), "b1", "confirmed");
    assert.deepEqual(
      [dialog.localTag, dialog.remoteTag, dialog.localSequence, dialog.remoteSequence, dialog.role],
      ["b1", "a1", undefined, 314159, "uas"],
    );
    assert.deepEqual(
      dialog.routeSet.map((route) => route.text),
      ["<sip:p2.example;lr;x=1>", "<sip:p1.example;lr>;y=2"],
    );
    const bye = sentBy(dialog);
    assert.equal(bye.headers.raw("From"), "Bob <sip:bob@biloxi.example>;tag=b1");
    assert.equal(bye.headers.raw("To"), "Alice <sip:alice@atlanta.example>;tag=a1");
    assert.equal(bye.cSeq.sequence, 1);
  });
});

describe("§12.2.1.1: Request-URI and Route", () => {
  // route set as recorded (caller's order), Request-URI, Route, next hop if it is not what these say
  const rows: [string, string[], string, string[], string?][] = [
    ["no route set", [], "sip:user@remoteua", []],
    ["a loose router first", ["<sip:p1;lr>", "<sip:p2>"], "sip:user@remoteua", ["<sip:p1;lr>", "<sip:p2>"]],
    [
      "a strict router first",
      ["<sip:proxy1>", "<sip:proxy2>", "<sip:proxy3;lr>", "<sip:proxy4>"],
      "sip:proxy1",
      ["<sip:proxy2>", "<sip:proxy3;lr>", "<sip:proxy4>", "<sip:user@remoteua>"],
      "sip:proxy1",
    ],
    [
      "a strict router with what a Request-URI must not have",
      ["<sip:p@proxy1;method=INVITE;transport=tcp?Subject=x>"],
      "sip:p@proxy1;transport=tcp",
      ["<sip:user@remoteua>"],
      "sip:p@proxy1;transport=tcp",
    ],
  ];
  for (const [title, recorded, requestUri, routes, nextHop] of rows) {
    it(title, () => {
      const headers = [...recorded].reverse().map((route) => `Record-Route: ${route}`);
      const dialog = Dialog.asUac(
        request(),
        response("200 OK", ["Contact: <sip:user@remoteua>", ...headers]),
      );
      const bye = sentBy(dialog);
      assert.equal(bye.requestUriText, requestUri);
      assert.deepEqual(bye.headers.rawAll("Route"), routes);
      const plan = dialog.plan("BYE");
      assert.equal(plan.nextHop === undefined ? undefined : printUri(plan.nextHop), nextHop);
      const { draft, nextHop: ackHop } = dialog.ack(314159);
      const ack = parseMessage(draft.withVia("SIP/2.0/UDP h;branch=z9hG4bKx")) as SipRequest;
      assert.deepEqual([ack.requestUriText, ack.cSeq.sequence, ack.cSeq.method], [requestUri, 314159, "ACK"]);
      assert.equal(ackHop === undefined ? undefined : printUri(ackHop), nextHop);
    });
  }

  it("§12.2.1.1: sequence numbers rise by one, ACK repeats", () => {
    const dialog = Dialog.asUac(request(), response("200 OK", ["Contact: <sip:user@remoteua>"]));
    assert.deepEqual([sentBy(dialog).cSeq.sequence, sentBy(dialog).cSeq.sequence], [314160, 314161]);
    dialog.ack(314159);
    assert.equal(dialog.localSequence, 314161);
  });
});

describe("§12.2.2: requests of the peer", () => {
  const withSequence = (sequence: number) =>
    parseMessage(
      new TextEncoder().encode(
        new TextDecoder()
          .decode(request([], "BYE sip:b@h SIP/2.0").bytes)
          .replace("314159 BYE", `${sequence} BYE`),
      ),
    ) as SipRequest;
  // remote sequence number before, number that comes, in order?, after
  const rows: [number | undefined, number, boolean, number][] = [
    [undefined, 7, true, 7],
    [7, 8, true, 8],
    [7, 100, true, 100],
    [7, 6, false, 7],
    [7, 7, false, 7],
    [2 ** 31 - 2, 2 ** 31 - 1, true, 2 ** 31 - 1],
  ];
  for (const [before, sequence, isInOrder, after] of rows) {
    it(`after ${before}, ${sequence} is ${isInOrder ? "in" : "out of"} order`, () => {
      const dialog = new Dialog({
        ...Dialog.asUac(request(), response("200 OK")),
        ...{ remoteTarget: request().requestUri, routeSet: [], localSequence: 1, state: "confirmed" },
        remoteSequence: before,
      });
      assert.equal(dialog.accept(withSequence(sequence)), isInOrder);
      assert.equal(dialog.remoteSequence, after);
    });
  }

  it("a target refresh moves the target, without Contact it stays", () => {
    const dialog = Dialog.asUas(request(), "b1", "confirmed");
    dialog.refreshTarget(response("200 OK", ["Contact: <sip:alice@new.example>"]));
    assert.equal(printUri(dialog.remoteTarget), "sip:alice@new.example");
    dialog.refreshTarget(response("200 OK"));
    assert.equal(printUri(dialog.remoteTarget), "sip:alice@new.example");
  });
});

describe("the table of dialogs", () => {
  it("tells forks apart, and gives requests to the owner", () => {
    const dialogs = new Dialogs();
    const taken: string[] = [];
    for (const tag of ["b1", "b2"]) {
      const dialog = Dialog.asUac(request(), response("180 Ringing", [], `;tag=${tag}`));
      dialogs.add(dialog, { onRequest: (_, { remoteTag }) => taken.push(remoteTag) });
    }
    assert.equal(dialogs.size, 2);
    const incoming = (fromTag: string, toTag: string) => {
      const text = [
        "BYE sip:alice@pc33.atlanta.example SIP/2.0",
        "Via: SIP/2.0/UDP h;branch=z9hG4bKy",
        "Max-Forwards: 70",
        `From: <sip:bob@biloxi.example>;tag=${fromTag}`,
        `To: <sip:alice@atlanta.example>${toTag}`,
        "Call-ID: a84b4c76e66710",
        "CSeq: 1 BYE",
        "",
        "",
      ].join("\r\n");
      return { request: parseMessage(new TextEncoder().encode(text)) } as unknown as IncomingRequest;
    };
    assert.equal(dialogs.deliver(incoming("b2", ";tag=a1")), true);
    assert.equal(dialogs.deliver(incoming("b3", ";tag=a1")), false);
    assert.equal(dialogs.deliver(incoming("b2", ";tag=A1")), false);
    assert.equal(dialogs.deliver(incoming("b2", "")), false);
    assert.deepEqual(taken, ["b2"]);
    const found = dialogs.find("a84b4c76e66710", "a1", "b2");
    assert(found !== undefined);
    dialogs.remove(found);
    assert.deepEqual([found.state, dialogs.size], ["terminated", 1]);
    assert.equal(dialogs.deliver(incoming("b2", ";tag=a1")), false);
  });
});
