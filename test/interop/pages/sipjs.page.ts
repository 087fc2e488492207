// A phone made of SIP.js, by its SimpleUser.

import { Messager, UserAgent, Web } from "sip.js";
import { type OwnStatus, show } from "./phone.ts";

const own: OwnStatus = { isRegistered: false, call: "none", messages: [] };
let simple: Web.SimpleUser;
let domain = "";
let holdDone: ((isHeld: boolean) => void) | undefined;

/** SimpleUser's promise is fulfilled when the re-INVITE is sent; this one when it was answered. */
async function held(isHeld: boolean): Promise<void> {
  const answered = new Promise<void>((resolve) => {
    holdDone = (now) => {
      if (now === isHeld) resolve();
    };
  });
  await (isHeld ? simple.hold() : simple.unhold());
  await answered;
}

/** SimpleUser's own `message` does not say what the answer was. */
function userAgentOf(user: object): UserAgent {
  return (user as { sessionManager: { userAgent: UserAgent } }).sessionManager.userAgent;
}

show(own, {
  async start(settings) {
    const { url, user, password, expires } = settings;
    domain = settings.domain;
    simple = new Web.SimpleUser(url, {
      aor: `sip:${user}@${domain}`,
      media: { constraints: { audio: true, video: false } },
      registererOptions: { expires },
      userAgentOptions: {
        authorizationUsername: user,
        authorizationPassword: password,
        logLevel: "error",
        // Its default asks a STUN server in the internet, and waits for it.
        sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } },
      },
      delegate: {
        onRegistered: () => {
          own.isRegistered = true;
        },
        onUnregistered: () => {
          own.isRegistered = false;
        },
        onServerDisconnect: () => {
          own.isRegistered = false;
        },
        onCallReceived: () => {
          own.call = "ringing";
        },
        onCallAnswered: () => {
          own.call = "up";
        },
        onCallHangup: () => {
          own.call = "none";
        },
        onCallHold: (isHeld) => holdDone?.(isHeld),
        onMessageReceived: (text) => {
          own.messages.push(text);
        },
      },
    });
    await simple.connect();
    await simple.register();
  },
  async call(user) {
    own.call = "calling";
    await simple.call(`sip:${user}@${domain}`);
  },
  answer: () => simple.answer(),
  hangUp: () => simple.hangup(),
  hold: () => held(true),
  resume: () => held(false),
  message: (user, text) =>
    new Promise((resolve, reject) => {
      const target = UserAgent.makeURI(`sip:${user}@${domain}`);
      if (target === undefined) throw new Error(`no user ${user}`);
      const answered = ({ message }: { message: { statusCode?: number } }) =>
        resolve(message.statusCode ?? 0);
      const messager = new Messager(userAgentOf(simple), target, text);
      messager
        .message({ requestDelegate: { onAccept: answered, onReject: answered } })
        .catch((error: unknown) => reject(error));
    }),
});
