// Audio for phones on the stage: the product's own offers and answers, and not one RTP packet.

import type { Clock, Random } from "@offhook/sip";
import { type Codec, pcma, pcmu } from "@offhook/sip/sdp";
import { audioSessions, type MediaFactory } from "@offhook/sip/user-agent";

const codecs = { PCMU: pcmu, PCMA: pcma } as const satisfies Record<string, Codec>;

export type CodecName = keyof typeof codecs;

/** A stage would have to stop every 20 ms of its time for the packets, and nobody listens. */
const stoppedClock: Clock = { now: () => 0, schedule: () => ({ cancel: () => {} }) };

/** Media that take these codecs, best first. */
export function quietAudio(names: readonly CodecName[], random: Random): MediaFactory {
  return audioSessions({
    ...{ clock: stoppedClock, random, address: "192.0.2.9", codecs: names.map((name) => codecs[name]) },
    openSocket: ({ address }) => ({
      ...{ local: { address, port: 40_000 }, onMessage: undefined },
      send: () => {},
      close: () => {},
    }),
  });
}
