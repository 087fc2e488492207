// What every page with a phone has: sight of its WebRTC, and `globalThis.phone` for the test outside.

import type { Phone, PhoneStatus } from "../peers/browser-phone.ts";

/** What the library says of itself; the rest is seen in the browser. */
export interface OwnStatus {
  isRegistered: boolean;
  call: PhoneStatus["call"];
  messages: string[];
}

const connections: RTCPeerConnection[] = [];

// Every library makes its connections by this constructor. What is not played is not decoded.
const Original = globalThis.RTCPeerConnection;
globalThis.RTCPeerConnection = class extends Original {
  constructor(configuration?: RTCConfiguration) {
    super(configuration);
    connections.push(this);
    this.addEventListener("track", ({ track }) => {
      const audio = new Audio();
      audio.srcObject = new MediaStream([track]);
      void audio.play();
    });
  }
};

/** Makes `globalThis.phone`. */
export function show(own: OwnStatus, phone: Omit<Phone, "status">): void {
  const status = async (): Promise<PhoneStatus> => {
    const connection = connections.at(-1);
    let packetsReceived = 0;
    let energy = 0;
    if (connection !== undefined && connection.connectionState !== "closed") {
      for (const report of (await connection.getStats()).values()) {
        if (report.type !== "inbound-rtp") continue;
        packetsReceived += report.packetsReceived;
        energy += report.totalAudioEnergy ?? 0;
      }
    }
    const [transceiver] = connection?.getTransceivers() ?? [];
    return { ...own, direction: transceiver?.currentDirection ?? "none", packetsReceived, energy };
  };
  Object.assign(globalThis, { phone: { ...phone, status } satisfies Phone });
}
