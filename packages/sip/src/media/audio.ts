// Audio to send and a meter for audio that came: tones, recordings, silence, level in dBov (ITU-T G.100.1).

/** Where an outgoing stream takes its samples from, 16 bits and one channel at the stream's rate. */
export interface AudioSource {
  /** The next `count` samples, fewer at the very end; undefined once there are none. */
  read(count: number): Int16Array | undefined;
}

/** The lowest level told: RFC 6464 §3 ends at −127 dBov, and so do we for silence. */
export const lowestLevel = -127;

/** Full scale of 16 bits: 0 dBov is a square wave of this amplitude. */
const fullScale = 32_768;

/**
 * A sine tone without end.
 * @param options `frequency` in Hz (440); `level` in dBov (−18, a comfortable test tone); `sampleRate` in Hz (8000)
 */
export function toneSource(
  options: { frequency?: number; level?: number; sampleRate?: number } = {},
): AudioSource {
  const { frequency = 440, level = -18, sampleRate = 8000 } = options;
  // A sine has its RMS √2 below its amplitude; beyond full scale it would clip.
  const amplitude = Math.min(fullScale * 10 ** (level / 20) * Math.SQRT2, fullScale - 1);
  const step = (2 * Math.PI * frequency) / sampleRate;
  let phase = 0;
  return {
    read(count) {
      const samples = new Int16Array(count);
      for (let at = 0; at < count; at += 1) {
        samples[at] = Math.round(amplitude * Math.sin(phase));
        phase = (phase + step) % (2 * Math.PI);
      }
      return samples;
    },
  };
}

/** A recording once, or again and again with `loop`. */
export function recordingSource(samples: Int16Array, options: { loop?: boolean } = {}): AudioSource {
  let at = 0;
  return {
    read(count) {
      if (samples.length === 0 || (at >= samples.length && !options.loop)) return undefined;
      if (!options.loop) {
        const part = samples.slice(at, at + count);
        at += part.length;
        return part;
      }
      const part = new Int16Array(count);
      for (let index = 0; index < count; index += 1) {
        part[index] = samples[at]!;
        at = (at + 1) % samples.length;
      }
      return part;
    },
  };
}

/** Measures how loud audio is. */
export class LevelMeter {
  /** Samples measured so far. */
  samples = 0;
  /** The largest magnitude so far, 0–32768. */
  peak = 0;
  #squares = 0;

  add(samples: Int16Array): void {
    for (const sample of samples) {
      this.#squares += sample * sample;
      const magnitude = Math.abs(sample);
      if (magnitude > this.peak) this.peak = magnitude;
    }
    this.samples += samples.length;
  }

  /** Root mean square, 0–32768. */
  get rms(): number {
    return this.samples === 0 ? 0 : Math.sqrt(this.#squares / this.samples);
  }

  /** Level in dBov, 0 (as loud as can be) to −127 (silence). A full-scale sine has −3. */
  get level(): number {
    return this.rms === 0 ? lowestLevel : Math.max(lowestLevel, 20 * Math.log10(this.rms / fullScale));
  }
}
