// Just enough audio: 16-bit WAV in and out, and how much of one recording is in another.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The samples of a 24 kHz mono 16-bit WAV as 48 kHz stereo PCM, by linear interpolation. */
export function toStereo48k(wav) {
  const samples = samplesOf(wav);
  const pcm = Buffer.alloc(samples.length * 8);
  samples.forEach((sample, n) => {
    const between = Math.round((sample + (samples[n + 1] ?? sample)) / 2);
    for (const [channel, value] of [sample, sample, between, between].entries()) {
      pcm.writeInt16LE(value, n * 8 + channel * 2);
    }
  });
  return pcm;
}

function samplesOf(wav) {
  for (let at = 12; at + 8 <= wav.length; ) {
    const [name, size] = [wav.toString('latin1', at, at + 4), wav.readUInt32LE(at + 4)];
    const [channels, rate] = [wav.readUInt16LE(at + 10), wav.readUInt32LE(at + 12)];
    if (name === 'fmt ' && (channels !== 1 || rate !== 24_000)) throw new Error('not 24 kHz mono');
    if (name === 'data') {
      return Array.from({ length: size >> 1 }, (_, n) => wav.readInt16LE(at + 8 + 2 * n));
    }
    at += 8 + size + (size % 2);
  }
  throw new Error('no samples');
}

/** A WAV of 48 kHz stereo 16-bit PCM (RIFF, format 1). */
export function toWav(pcm) {
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + pcm.length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(2, 22);
  head.writeUInt32LE(48_000, 24);
  head.writeUInt32LE(192_000, 28);
  head.writeUInt16LE(4, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(pcm.length, 40);
  return Buffer.concat([head, pcm]);
}

/** How much of one WAV is in another, by `localcord compare`: 1 is the same waveform. */
export function similarity(binary, spoken, heard) {
  const folder = mkdtempSync(join(tmpdir(), 'localcord-heard-'));
  try {
    const [reference, recording] = [join(folder, 'spoken.wav'), join(folder, 'heard.wav')];
    writeFileSync(reference, spoken);
    writeFileSync(recording, heard);
    return JSON.parse(execFileSync(binary, ['compare', '--json', reference, recording])).score;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
