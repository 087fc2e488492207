// A phone made of JsSIP.

import * as JsSIP from "jssip";
import { type OwnStatus, show } from "./phone.ts";

type Session = ReturnType<JsSIP.UA["call"]>;

const own: OwnStatus = { isRegistered: false, call: "none", messages: [] };
let ua: JsSIP.UA;
let domain = "";
let session: Session | undefined;

function follow(next: Session): void {
  session = next;
  own.call = next.direction === "incoming" ? "ringing" : "calling";
  next.on("confirmed", () => {
    own.call = "up";
  });
  const over = () => {
    own.call = "none";
  };
  next.on("ended", over);
  next.on("failed", over);
}

function held(isHeld: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => resolve();
    const accepted = isHeld ? session?.hold({}, done) : session?.unhold({}, done);
    if (accepted !== true) reject(new Error("JsSIP will not do that now"));
  });
}

show(own, {
  async start(settings) {
    const { url, user, password, expires } = settings;
    domain = settings.domain;
    ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(url)],
      uri: `sip:${user}@${domain}`,
      password,
      register_expires: expires,
    });
    ua.on("registered", () => {
      own.isRegistered = true;
    });
    ua.on("unregistered", () => {
      own.isRegistered = false;
    });
    ua.on("disconnected", () => {
      own.isRegistered = false;
    });
    ua.on("newRTCSession", ({ session }: { session: Session }) => follow(session));
    ua.on("newMessage", (event: { originator: string; request: { body: string } }) => {
      if (event.originator === "remote") own.messages.push(event.request.body);
    });
    ua.start();
  },
  async call(user) {
    ua.call(`sip:${user}@${domain}`, { mediaConstraints: { audio: true, video: false } });
  },
  async answer() {
    session?.answer({ mediaConstraints: { audio: true, video: false } });
  },
  async hangUp() {
    session?.terminate();
  },
  hold: () => held(true),
  resume: () => held(false),
  message: (user, text) =>
    new Promise((resolve) => {
      ua.sendMessage(`sip:${user}@${domain}`, text, {
        eventHandlers: {
          succeeded: ({ response }: { response: { status_code: number } }) => resolve(response.status_code),
          failed: ({ response }: { response?: { status_code: number } }) =>
            resolve(response?.status_code ?? 0),
        },
      });
    }),
});
