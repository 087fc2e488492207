// Media of a call: RTP, G.711, key presses, WAV files. Sockets come in by a port.
export { type AudioSource, LevelMeter, lowestLevel, recordingSource, toneSource } from "./audio.ts";
export { alaw, mulaw, type SampleCodec, sampleCodecOf } from "./g711.ts";
export { parseRtp, printRtp, ReceptionStatistics, type RtpPacket } from "./rtp.ts";
export { type DatagramSocket, type RtpReport, RtpSession, type RtpSessionOptions } from "./rtp-session.ts";
export {
  digitOfEvent,
  type EventPacket,
  eventOfDigit,
  eventPackets,
  parseTelephoneEvent,
  printTelephoneEvent,
  type TelephoneEvent,
  TelephoneEventReceiver,
} from "./telephone-event.ts";
export { parseWav, printWav, type Recording } from "./wav.ts";
