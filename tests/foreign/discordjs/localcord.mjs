// The part of localcord's control API that the test uses, over Node's own `fetch`.

import { readFile } from 'node:fs/promises';

/** The JSON line that `localcord serve --json` printed into a file. */
export async function readSummary(path) {
  const line = (await readFile(path, 'utf8')).split('\n')[0];
  return JSON.parse(line);
}

export class Localcord {
  constructor(summary) {
    this.base = summary.control_url;
    this.summary = summary;
  }

  async call(method, path, body, type = 'application/json') {
    const response = await fetch(`${this.base}/${path}`, {
      method,
      headers: body === undefined ? {} : { 'content-type': type },
      body: body === undefined || Buffer.isBuffer(body) ? body : JSON.stringify(body),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${bytes}`);
    const json = response.headers.get('content-type')?.includes('application/json');
    return json ? JSON.parse(bytes) : bytes;
  }

  get(path) {
    return this.call('GET', path);
  }

  post(path, body) {
    return this.call('POST', path, body);
  }

  /** The id of a channel by its name. */
  channel(name) {
    return this.summary.channels.find((channel) => channel.name === name).id;
  }

  /** The id of a human by name. */
  human(name) {
    return this.summary.humans.find((human) => human.name === name).id;
  }

  /** A call of Discord's REST with a bot's token: status and body. */
  async rest(token, method, path, body) {
    const response = await fetch(`${this.summary.api_url}${path}`, {
      method,
      headers: { authorization: `Bot ${token}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  }

  /** The same by a human; returns the body. */
  as(human, method, path, body) {
    return this.call(method, `humans/${human}/api${path}`, body);
  }

  /** Puts a human into a voice channel; returns when it can talk with everybody there. */
  join(human, channel) {
    return this.post(`humans/${human}/voice?wait=true`, { channel_id: channel });
  }

  /** A human leaves voice. */
  leave(human) {
    return this.post(`humans/${human}/voice`, { channel_id: null });
  }

  /** A human speaks a WAV; returns when it is spoken. */
  speak(human, wav) {
    return this.call('POST', `humans/${human}/speak?wait=true`, wav, 'audio/wav');
  }

  /** What a human heard from a user, as a WAV. */
  heard(human, user) {
    return this.get(`humans/${human}/heard?from=${user}`);
  }

  /** Calls a slash command as a human; returns with the bot's answer. */
  command(human, name, options, channel) {
    return this.post(`humans/${human}/commands?wait=true`, { name, options, channel_id: channel });
  }

  /** Waits until a user is in no voice channel. */
  async left(user) {
    let since = 0;
    for (;;) {
      const { voice_states: states } = await this.get('state');
      if (!states.some((state) => state.user_id === user)) return;
      // Only something new in the journal can change it; the wait is localcord's, 30 s at most.
      const lines = (await this.get(`journal?since=${since}&wait=true`)).toString().trim();
      if (lines === '') throw new Error(`${user} is still in voice`);
      since = JSON.parse(lines.split('\n').at(-1)).seq;
    }
  }
}
