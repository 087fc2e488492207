// A phone made of our own library, for browsers: the WebSocket transport, WebRTC for media.

import type { Call } from "@offhook/sip/user-agent";
import { type Registration, UserAgent } from "@offhook/sip/user-agent";
import { webHash, webRtc, ws } from "@offhook/sip/web";
import { Md5 } from "sip.js/lib/core/messages/md5.js";
import { type OwnStatus, show } from "./phone.ts";

const own: OwnStatus = { isRegistered: false, call: "none", messages: [] };
let ua: UserAgent;
let call: Call | undefined;
let domain = "";

/** Any well-kept implementation will do; this one is here already. */
function md5(data: Uint8Array): Uint8Array {
  const hex = String(new Md5().appendByteArray(data).end());
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function follow(next: Call): void {
  call = next;
  own.call = next.state === "incoming" ? "ringing" : "calling";
  void next.ended.then(() => {
    own.call = "none";
  });
  next.answered.then(
    () => {
      own.call = "up";
    },
    () => {},
  );
}

show(own, {
  async start(settings) {
    const { url, user, password, expires } = settings;
    domain = settings.domain;
    ua = new UserAgent({
      aor: `sip:${user}@${domain}`,
      transports: [ws({ url, hash: webHash({ md5 }) })],
      credentials: { user, password },
      media: webRtc(),
    });
    ua.onInvite(async (incoming) => {
      follow(incoming);
      await incoming.ring();
    });
    ua.onRequest("MESSAGE", (incoming) => {
      own.messages.push(incoming.request.bodyText);
      incoming.respond(200);
    });
    const registration: Registration = ua.registration({ expires, keepTrying: true });
    registration.onState((state) => {
      own.isRegistered = state === "registered";
    });
    await registration.start();
  },
  async call(user) {
    follow(ua.call(user));
  },
  async answer() {
    await call?.answer();
  },
  async hangUp() {
    await call?.hangUp();
  },
  async hold() {
    await call?.hold();
  },
  async resume() {
    await call?.resume();
  },
  message: (user, text) =>
    ua.message(user, text).then(
      ({ statusCode }) => statusCode,
      (error: { statusCode?: number }) => error.statusCode ?? 0,
    ),
});
