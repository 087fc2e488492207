// What the library uses of WebRTC, as interfaces: nothing here needs the types of browsers, and tests need no browser.

export interface Track {
  readonly kind: string;
  stop(): void;
}

export interface Stream {
  getTracks(): readonly Track[];
  getAudioTracks(): readonly Track[];
}

export interface Transceiver {
  direction: string;
  readonly sender: {
    readonly dtmf?: { readonly toneBuffer: string; insertDTMF(tones: string): void } | null;
  };
  readonly receiver: { readonly track: { readonly kind: string } };
  stop?(): void;
}

export interface Description {
  readonly type: "offer" | "answer" | "pranswer" | "rollback";
  readonly sdp?: string;
}

/** RTCPeerConnection. */
export interface PeerConnection {
  readonly signalingState: string;
  readonly iceGatheringState: string;
  readonly localDescription: { readonly sdp: string } | null;
  addTrack(track: Track, stream: Stream): unknown;
  getTransceivers(): readonly Transceiver[];
  createOffer(): Promise<Description>;
  createAnswer(): Promise<Description>;
  setLocalDescription(description: Description): Promise<void>;
  setRemoteDescription(description: Description): Promise<void>;
  addEventListener(type: string, listener: (event: { readonly streams?: readonly unknown[] }) => void): void;
  removeEventListener(type: string, listener: (event: never) => void): void;
  close(): void;
}

/** The global object of a browser, as far as it is used. */
export interface Dom {
  readonly RTCPeerConnection?: new (configuration?: object) => PeerConnection;
  readonly navigator?: {
    readonly mediaDevices?: { getUserMedia(constraints: object): Promise<Stream> };
  };
}
