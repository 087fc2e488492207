// A phone in a page of a browser, as the test outside sees it; the pages have the inside.

export interface PhoneSettings {
  /** Of the WebSocket. */
  readonly url: string;
  /** Host and port of addresses. */
  readonly domain: string;
  readonly user: string;
  readonly password: string;
  /** Seconds to ask the registrar for. */
  readonly expires: number;
}

export interface PhoneStatus {
  readonly isRegistered: boolean;
  readonly call: "none" | "calling" | "ringing" | "up";
  /** What the audio stream of the last call has been agreed to be, as seen from here. */
  readonly direction: string;
  readonly packetsReceived: number;
  /** Grows while something is heard (getStats, totalAudioEnergy). */
  readonly energy: number;
  /** Texts of MESSAGEs that came. */
  readonly messages: readonly string[];
}

/** Each page puts one of these into `globalThis.phone`. */
export interface Phone {
  /** Connects, and registers for as long as the page lives. */
  start(settings: PhoneSettings): Promise<void>;
  call(user: string): Promise<void>;
  answer(): Promise<void>;
  hangUp(): Promise<void>;
  hold(): Promise<void>;
  resume(): Promise<void>;
  /** Sends a MESSAGE; fulfilled with the status of its final response. */
  message(user: string, text: string): Promise<number>;
  status(): Promise<PhoneStatus>;
}
