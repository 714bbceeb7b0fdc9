// OpenAI's realtime clients, as they come from npm, in conversation with the local provider.
//
//   NODE_EXTRA_CA_CERTS=cert.pem node run.mjs SUMMARY openai|agents
//
// SUMMARY is a file with the JSON line of the `local_provider` example, run with script.json5.

import { readFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

const STEP_TIME_MS = 20_000;
const RATE = 24_000;
const FRAME_MS = 20;
const FIXTURES = pathToFileURL(
  process.env.FIXTURES ?? fileURLToPath(new URL('../../../fixtures/audio/', import.meta.url)),
);

const [summaryPath, client] = process.argv.slice(2);
const { url, api_key: apiKey } = JSON.parse(await readFile(summaryPath, 'utf8'));

function check(fact, what) {
  if (!fact) throw new Error(`not so: ${what}`);
  console.log(`  ok  ${what}`);
}

/** The samples of a fixture, 16-bit mono at 24 kHz, without the WAV header. */
async function samples(name) {
  const wav = await readFile(new URL(name, FIXTURES));
  return wav.subarray(wav.indexOf('data') + 8);
}

/** Events of one kind of object, kept, so that one that came early is not missed. */
class Inbox {
  constructor() {
    this.events = [];
    this.waiting = new Set();
  }

  push(event) {
    this.events.push(event);
    for (const look of [...this.waiting]) look();
  }

  /** The first event from `from` on that fits; its position is in `this.at`. */
  next(what, fits, from = 0) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(look);
        const types = this.events.slice(from).map((event) => event.type);
        reject(new Error(`no ${what} among ${[...new Set(types)].join(', ')}`));
      }, STEP_TIME_MS);
      const look = () => {
        const at = this.events.findIndex((event, index) => index >= from && fits(event));
        if (at < 0) return;
        clearTimeout(timer);
        this.waiting.delete(look);
        this.at = at;
        resolve(this.events[at]);
      };
      this.waiting.add(look);
      look();
    });
  }

  type(type, from = 0) {
    return this.next(type, (event) => event.type === type, from);
  }

  all(type, from = 0) {
    return this.events.slice(from).filter((event) => event.type === type);
  }
}

/** Sends audio at the pace it was spoken, then a second of silence, by which its end is known. */
async function speak(send, pcm) {
  const bytes = (RATE / 1000) * FRAME_MS * 2;
  const whole = Buffer.concat([pcm, Buffer.alloc(RATE * 2)]);
  const began = Date.now();
  for (let at = 0; at < whole.length; at += bytes) {
    send(whole.subarray(at, at + bytes));
    const due = began + ((at / bytes + 1) * FRAME_MS);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - Date.now())));
  }
}

const audioOf = (deltas) => Buffer.concat(deltas.map((event) => Buffer.from(event.delta, 'base64')));

async function withOpenai() {
  const { OpenAIRealtimeWS } = await import('openai/realtime/ws');
  const { default: OpenAI } = await import('openai');
  // The package makes wss:// of whatever scheme it is given; the certificate is trusted by node.
  const openai = new OpenAI({ apiKey, baseURL: url.replace(/\/realtime$/, '').replace(/^wss?/, 'https') });
  const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime-2.1' }, openai);
  const inbox = new Inbox();
  realtime.on('event', (event) => inbox.push(event));
  realtime.on('error', (error) => inbox.push({ type: 'sdk.error', error }));

  const created = await inbox.type('session.created');
  check(created.session.expires_at > Date.now() / 1000, 'openai: the session says when it ends');
  realtime.send({
    type: 'session.update',
    session: {
      type: 'realtime',
      audio: {
        input: {
          transcription: { model: 'gpt-4o-mini-transcribe' },
          turn_detection: { type: 'server_vad', silence_duration_ms: 500 },
        },
      },
    },
  });
  const updated = await inbox.type('session.updated');
  check(
    updated.session.audio.input.turn_detection.interrupt_response === true,
    'openai: the update is merged and echoed',
  );

  const append = (pcm) =>
    realtime.send({ type: 'input_audio_buffer.append', audio: Buffer.from(pcm).toString('base64') });
  await speak(append, await samples('ask.wav'));
  const heard = await inbox.type('conversation.item.input_audio_transcription.completed');
  check(heard.transcript === 'What is the weather like today?', 'openai: speech is transcribed');
  const done = await inbox.type('response.done');
  check(done.response.status === 'completed', 'openai: speech is answered');
  const answer = audioOf(inbox.all('response.output_audio.delta'));
  check(answer.equals(await samples('interrupt.wav')), 'openai: the answer is whole');

  const item = done.response.output[0].id;
  realtime.send({ type: 'conversation.item.truncate', item_id: item, content_index: 0, audio_end_ms: 500 });
  await inbox.type('conversation.item.truncated');
  realtime.send({ type: 'conversation.item.retrieve', item_id: item });
  const { item: kept } = await inbox.type('conversation.item.retrieved');
  const bytes = Buffer.from(kept.content[0].audio, 'base64').length;
  check(bytes === 500 * 48, 'openai: a truncated item is shorter, and its audio can be had');

  realtime.send({ type: 'response.create' });
  const call = await inbox.next(
    'a finished function call',
    (event) => event.type === 'response.output_item.done' && event.item.type === 'function_call',
  );
  await inbox.type('response.done', inbox.at);
  const output = { type: 'function_call_output', call_id: call.item.call_id, output: 'noon' };
  realtime.send({ type: 'conversation.item.create', item: output });
  realtime.send({ type: 'response.create' });
  await inbox.next(
    'the answer from the tool',
    (event) => event.type === 'response.output_audio_transcript.done' && event.transcript === 'It is noon.',
  );
  check(true, 'openai: a function call goes there and back');

  check(inbox.all('sdk.error').length === 0, 'openai: no error was seen');
  realtime.send({ type: 'response.cancel', event_id: 'mine' });
  const { error } = await inbox.type('sdk.error');
  check(
    (error.error ?? error).code === 'response_cancel_not_active',
    'openai: a refusal comes as an error of the SDK, and the socket stays open',
  );
  realtime.close();
}

async function withAgents() {
  const { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } = await import('@openai/agents-realtime');
  const { z } = await import('zod');
  const asked = [];
  const clock = tool({
    name: 'clock',
    description: 'Tells the time.',
    parameters: z.object({ zone: z.string(), asked: z.string() }),
    execute: async (given) => {
      asked.push(given);
      return 'noon';
    },
  });
  const agent = new RealtimeAgent({ name: 'Ada', instructions: 'Be brief.', tools: [clock] });
  const transport = new OpenAIRealtimeWebSocket({ url: `${url}?model=gpt-realtime-2.1` });
  const session = new RealtimeSession(agent, { transport });
  const inbox = new Inbox();
  const bytes = { heard: 0, interruptions: 0 };
  transport.on('*', (event) => inbox.push(event));
  session.on('audio', (event) => (bytes.heard += event.data.byteLength));
  session.on('audio_interrupted', () => (bytes.interruptions += 1));
  session.on('error', (error) => inbox.push({ type: 'sdk.error', error }));

  await session.connect({ apiKey });
  await inbox.next(
    'the second session.updated',
    () => inbox.all('session.updated').length >= 2,
  );
  check(true, 'agents: both of its updates are taken');

  const send = (pcm) => session.sendAudio(Uint8Array.from(pcm).buffer);
  await speak(send, await samples('ask.wav'));
  await inbox.type('response.done');
  const answer = await samples('interrupt.wav');
  check(bytes.heard === answer.length, 'agents: speech is answered with audio');
  await inbox.next(
    'the transcript in the history',
    () => session.history.some((item) => JSON.stringify(item).includes('What is the weather like today?')),
  );
  check(true, 'agents: the transcript is in its history');
  await inbox.type('conversation.item.retrieved');
  check(true, 'agents: what it retrieves is answered');

  const before = inbox.events.length;
  await speak(send, await samples('second.wav'));
  await inbox.next(
    'the answer from the tool',
    (event) => event.type === 'response.output_audio_transcript.done' && event.transcript === 'It is noon.',
    before,
  );
  check(asked.length === 1 && asked[0].zone === 'UTC', 'agents: its tool is called once, with arguments');
  await inbox.type('response.done', inbox.at);

  const long = inbox.events.length;
  await speak(send, await samples('ask.wav'));
  await inbox.type('response.output_audio.delta', long);
  const speaking = inbox.events.length;
  await speak(send, await samples('second.wav'));
  await inbox.type('conversation.item.truncated', speaking);
  check(bytes.interruptions >= 1, 'agents: speech interrupts, and the truncate is accepted');
  const cut = await inbox.type('response.done', speaking);
  check(cut.response.status === 'cancelled', 'agents: the server has cancelled by itself');
  await inbox.next(
    'the next answer',
    (event) =>
      event.type === 'response.output_audio_transcript.done' && event.transcript === 'I was interrupted.',
    speaking,
  );
  check(true, 'agents: the conversation goes on');
  await inbox.type('response.done', inbox.at);
  const errors = [...inbox.all('sdk.error'), ...inbox.all('error')];
  check(errors.length === 0, `agents: no error was seen ${JSON.stringify(errors)}`);

  const message = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Say exactly "Aside."' }] };
  transport.sendEvent({
    type: 'response.create',
    response: { conversation: 'none', output_modalities: ['text'], metadata: { topic: 'aside' }, input: [message] },
  });
  const aside = await inbox.next(
    'the end of the aside',
    (event) => event.type === 'response.done' && event.response.metadata?.topic === 'aside',
  );
  check(aside.response.output[0].content[0].text === 'Aside.', 'agents: a response out of band is text');
  transport.sendEvent({ type: 'response.create' });
  await inbox.next('a failed response', (event) => event.type === 'response.done' && event.response.status === 'failed');
  transport.sendEvent({ type: 'input_audio_buffer.clear' });
  await inbox.type('input_audio_buffer.cleared');
  transport.sendEvent({ type: 'conversation.item.delete', item_id: cut.response.output[0].id });
  await inbox.type('conversation.item.deleted');
  transport.sendEvent({ type: 'response.cancel' });
  await inbox.type('error');
  check(true, 'agents: text, failures, deletions and refusals reach it');

  // Its own schemas, past the package's front door: what they do not know, the SDK drops in silence.
  const schemas = 'node_modules/@openai/agents-realtime/dist/openaiRealtimeEvents.mjs';
  const { parseRealtimeEvent } = await import(new URL(schemas, import.meta.url));
  const nonsense = parseRealtimeEvent({ data: '{"type":"nonsense","event_id":"e"}' });
  check(nonsense.isGeneric, 'agents: its schemas tell nonsense from events');
  const unknown = inbox.events.filter(
    (event) => event.event_id && parseRealtimeEvent({ data: JSON.stringify(event) }).isGeneric,
  );
  check(unknown.length === 0, `agents: every event fits its schemas ${unknown.map((event) => event.type)}`);
  session.close();
}

await (client === 'openai' ? withOpenai() : withAgents());
console.log(`  ${client} passed`);
process.exit(0);
