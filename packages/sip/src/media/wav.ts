// WAV files with one channel of 16-bit PCM, read and written in memory. RIFF/WAVE, "fmt " and "data" chunks.
import { ArgumentError } from "../errors.ts";

/** A recording: one channel of signed 16-bit samples. */
export interface Recording {
  /** Samples per second. */
  readonly sampleRate: number;
  readonly samples: Int16Array;
}

const pcm = 1;
const extensible = 0xfffe;

/**
 * Reads a WAV file.
 * @param options `sampleRate`: the only rate to accept, e.g. 8000 for G.711 (nothing here resamples)
 * @throws ArgumentError that names what does not fit: no WAV file, compressed, stereo, not 16 bits, another rate
 */
export function parseWav(bytes: Uint8Array, options: { sampleRate?: number } = {}): Recording {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (tagAt(bytes, 0) !== "RIFF" || tagAt(bytes, 8) !== "WAVE") throw new ArgumentError("not a WAV file");
  let sampleRate: number | undefined;
  // Chunks begin at even offsets; those with other names (LIST, fact, …) are stepped over.
  for (let at = 12; at + 8 <= bytes.length; ) {
    const tag = tagAt(bytes, at);
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (tag === "fmt ") {
      sampleRate = readFormat(view, start, size);
    } else if (tag === "data") {
      if (sampleRate === undefined) throw new ArgumentError("WAV file: data before its format");
      if (options.sampleRate !== undefined && sampleRate !== options.sampleRate) {
        throw new ArgumentError(`WAV file: ${sampleRate} Hz where ${options.sampleRate} Hz is needed`);
      }
      // A recorder that was killed leaves a size of 0 or 0xFFFFFFFF or too much: take what is there.
      const there = bytes.length - start;
      const length = size === 0 || size > there ? there : size;
      const samples = new Int16Array(length >> 1);
      for (let index = 0; index < samples.length; index += 1) {
        samples[index] = view.getInt16(start + 2 * index, true);
      }
      return { sampleRate, samples };
    }
    at = start + size + (size & 1);
  }
  throw new ArgumentError(sampleRate === undefined ? "WAV file: no format" : "WAV file: no data");
}

/** The recording as a WAV file with the 44-byte header that everything reads. */
export function printWav({ sampleRate, samples }: Recording): Uint8Array {
  const size = samples.length * 2;
  const bytes = new Uint8Array(44 + size);
  const view = new DataView(bytes.buffer);
  const putTag = (at: number, tag: string) => {
    for (let index = 0; index < 4; index += 1) bytes[at + index] = tag.charCodeAt(index);
  };
  putTag(0, "RIFF");
  view.setUint32(4, 36 + size, true);
  putTag(8, "WAVE");
  putTag(12, "fmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, pcm, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  putTag(36, "data");
  view.setUint32(40, size, true);
  for (let index = 0; index < samples.length; index += 1) {
    view.setInt16(44 + 2 * index, samples[index]!, true);
  }
  return bytes;
}

function readFormat(view: DataView, start: number, size: number): number {
  if (size < 16 || start + size > view.byteLength) throw new ArgumentError("WAV file: its format is cut off");
  let format = view.getUint16(start, true);
  // The extensible form keeps the real format in the first two bytes of its GUID.
  if (format === extensible && size >= 40) format = view.getUint16(start + 24, true);
  if (format !== pcm) throw new ArgumentError(`WAV file: format ${format} where PCM is needed`);
  const channels = view.getUint16(start + 2, true);
  if (channels !== 1) throw new ArgumentError(`WAV file: ${channels} channels where one is needed`);
  const bits = view.getUint16(start + 14, true);
  if (bits !== 16) throw new ArgumentError(`WAV file: ${bits} bits where 16 are needed`);
  const sampleRate = view.getUint32(start + 4, true);
  if (sampleRate === 0) throw new ArgumentError("WAV file: a sample rate of 0");
  return sampleRate;
}

function tagAt(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}
