// Audio of a user agent on Node: RTP on sockets of this process.

import { type AudioOptions, audioSessions, type MediaFactory } from "../user-agent/index.ts";
import { nodeClock } from "./clock.ts";
import { nodeRandom } from "./random.ts";
import { openRtpSocket } from "./rtp-socket.ts";

export interface NodeAudioOptions extends Omit<AudioOptions, "clock" | "random" | "openSocket"> {
  /** First and last port for RTP. Default: any free even port. */
  readonly ports?: { readonly first: number; readonly last: number };
}

/** PCMU, PCMA and key presses, for the `media` option of a user agent; plays silence if no source is given. */
export function audio(options: NodeAudioOptions = {}): MediaFactory {
  const { ports, ...rest } = options;
  return audioSessions({
    ...rest,
    clock: nodeClock,
    random: nodeRandom,
    openSocket: ({ address }) => openRtpSocket(ports === undefined ? { address } : { address, ports }),
  });
}
