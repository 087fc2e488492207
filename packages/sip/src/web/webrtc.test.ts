// Offers and answers by a peer connection that is none: which calls, in which order. RFC 8829, RFC 3264.

import assert from "node:assert/strict";
import { test } from "node:test";
import { settle, VirtualClock } from "../testing/index.ts";
import type { MediaContext, MediaSession } from "../user-agent/index.ts";
import { type Description, type Dom, type PeerConnection, type WebRtcOptions, webRtc } from "./index.ts";

const call: MediaContext = {
  callId: "1",
  direction: "outgoing",
  localAddress: undefined,
  publicAddress: undefined,
};

function track(kind = "audio") {
  return {
    kind,
    isStopped: false,
    stop() {
      this.isStopped = true;
    },
  };
}

function setUp(options: Partial<WebRtcOptions> = {}, gathering = "complete", granted = Promise.resolve()) {
  const log: string[] = [];
  const clock = new VirtualClock();
  const microphone = track();
  const stream = { getTracks: () => [microphone], getAudioTracks: () => [microphone] };
  const sent: string[] = [];
  const dtmf = { toneBuffer: "", insertDTMF: (tones: string) => sent.push(tones) };
  const audio = { direction: "sendrecv", sender: { dtmf }, receiver: { track: { kind: "audio" } } };
  const video = {
    ...{ direction: "recvonly", sender: {}, receiver: { track: { kind: "video" } } },
    stop: () => log.push("stop video"),
  };
  const listeners = new Map<string, (event: { streams?: readonly unknown[] }) => void>();
  class Connection implements PeerConnection {
    signalingState = "stable";
    iceGatheringState = gathering;
    localDescription: { sdp: string } | null = null;
    addTrack(): void {
      log.push("track");
    }
    getTransceivers() {
      return [audio, video];
    }
    async createOffer(): Promise<Description> {
      return { type: "offer", sdp: `offer ${audio.direction}` };
    }
    async createAnswer(): Promise<Description> {
      return { type: "answer", sdp: `answer ${audio.direction}` };
    }
    async setLocalDescription({ type, sdp = "" }: Description): Promise<void> {
      log.push(`local ${type}`);
      this.signalingState = type === "offer" ? "have-local-offer" : "stable";
      this.localDescription = { sdp };
    }
    async setRemoteDescription({ type, sdp = "" }: Description): Promise<void> {
      if (sdp === "bad") throw new Error("no fingerprint");
      log.push(`remote ${type} ${sdp}`);
      this.signalingState = type === "offer" ? "have-remote-offer" : type === "pranswer" ? type : "stable";
    }
    addEventListener(type: string, listener: (event: { streams?: readonly unknown[] }) => void): void {
      listeners.set(type, listener);
    }
    removeEventListener(type: string): void {
      listeners.delete(type);
    }
    close(): void {
      log.push("close");
    }
  }
  const connections: Connection[] = [];
  const dom: Dom = {
    RTCPeerConnection: class extends Connection {
      constructor() {
        super();
        connections.push(this);
      }
    },
    navigator: { mediaDevices: { getUserMedia: () => granted.then(() => stream) } },
  };
  const session = webRtc({ dom, clock, ...options })(call);
  return {
    session,
    log,
    clock,
    microphone,
    stream,
    sent,
    listeners,
    connection: connections[0] as Connection,
  };
}

const flows: [
  title: string,
  steps: (session: MediaSession) => Promise<unknown>,
  result: unknown,
  log: string[],
][] = [
  [
    "RFC 8829 §4.1.8 an offer has our track and our direction",
    (session) => session.createOffer("sendrecv") as Promise<string>,
    "offer sendrecv",
    ["track", "local offer"],
  ],
  [
    "RFC 3264 §8.4 an offer to hold: the track is there already",
    async (session) => {
      await session.createOffer("sendrecv");
      await session.acceptAnswer("one", true);
      return await session.createOffer("sendonly");
    },
    "offer sendonly",
    ["track", "local offer", "remote answer one", "local offer"],
  ],
  [
    "RFC 8829 §5.10 an answer: our track first, then their offer; other streams are refused",
    (session) => session.createAnswer("theirs", "sendrecv") as Promise<string>,
    "answer sendrecv",
    ["track", "remote offer theirs", "stop video", "local answer"],
  ],
  [
    "RFC 3261 §13.2.1 an early answer, the same again as final, and once more",
    async (session) => {
      await session.createOffer("sendrecv");
      await session.acceptAnswer("one", false);
      await session.acceptAnswer("one", true);
      await session.acceptAnswer("one", true);
    },
    undefined,
    ["track", "local offer", "remote pranswer one", "remote answer one"],
  ],
  [
    "RFC 3264 §8 an offer that was refused is taken back before the next",
    async (session) => {
      await session.createOffer("sendrecv");
      session.rollback?.();
      return await session.createAnswer("theirs", "sendrecv");
    },
    "answer sendrecv",
    ["track", "local offer", "local rollback", "remote offer theirs", "stop video", "local answer"],
  ],
];
for (const [title, steps, result, expected] of flows) {
  test(title, async () => {
    const { session, log } = setUp();
    assert.deepEqual(await steps(session), result);
    assert.deepEqual(log, expected);
  });
}

test("RFC 8839 §4: what goes out waits for all candidates, but not for ever", async () => {
  const first = setUp({}, "gathering");
  const offer = first.session.createOffer("sendrecv") as Promise<string>;
  let isThere = false;
  void offer.then(() => {
    isThere = true;
  });
  await first.clock.run(2_000);
  assert.equal(isThere, false);
  first.connection.iceGatheringState = "complete";
  first.listeners.get("icegatheringstatechange")?.({});
  await settle();
  assert.equal(isThere, true);
  const second = setUp({ gatheringTime: 500 }, "gathering");
  const late = second.session.createOffer("sendrecv");
  await second.clock.run(500);
  assert.equal(await late, "offer sendrecv");
});

for (const step of ["createAnswer", "acceptAnswer"] as const) {
  test(`RFC 3264 §6: ${step} with what the browser cannot use: 488`, async () => {
    const { session } = setUp();
    const result =
      step === "createAnswer" ? session.createAnswer("bad", "sendrecv") : session.acceptAnswer("bad", true);
    await assert.rejects(async () => await result, { code: "SIP_NEGOTIATION", warning: 304 });
  });
}

test("close(): the microphone is let go; a stream of the application's is not", async () => {
  const own = setUp();
  await own.session.createOffer("sendrecv");
  own.session.close();
  await settle();
  assert.equal(own.microphone.isStopped, true);
  const given = setUp();
  const other = setUp({ stream: given.stream });
  await other.session.createOffer("sendrecv");
  other.session.close();
  await settle();
  assert.equal(given.microphone.isStopped, false);
});

test("close() while the microphone is asked for: let go as soon as it comes", async () => {
  let grant: (() => void) | undefined;
  const granted = new Promise<void>((resolve) => {
    grant = resolve;
  });
  const { session, microphone } = setUp({}, "complete", granted);
  const offer = session.createOffer("sendrecv") as Promise<string>;
  await settle();
  session.close();
  grant?.();
  await assert.rejects(offer, { code: "SIP_NEGOTIATION" });
  assert.equal(microphone.isStopped, true);
});

test("what the peer sends is shown; the connection too", async () => {
  const seen: unknown[] = [];
  const { listeners, connection } = setUp({
    onStream: (stream) => seen.push(stream),
    onConnection: (one) => seen.push(one),
  });
  listeners.get("track")?.({ streams: ["theirs"] });
  assert.deepEqual(seen, [connection, "theirs"]);
});

test("RFC 4733: key presses, those before not lost", async () => {
  const { session, sent } = setUp();
  await session.createOffer("sendrecv");
  await session.sendDtmf?.("12#");
  assert.deepEqual(sent, ["12#"]);
});

test("a browser without WebRTC is told so at once", () => {
  assert.throws(() => webRtc({ dom: {} }), /RTCPeerConnection/);
});
