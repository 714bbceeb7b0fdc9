// discord.js, as it comes from npm, watches clawvoice itself on localcord: what people on Discord
// would see of an answer.
//
//   NODE_EXTRA_CA_CERTS=ca.pem node agent.mjs SUMMARY CLAWVOICE [http|https]
//
// SUMMARY is a file with the JSON line of `localcord serve --json`, CLAWVOICE the program. Its model
// is a server in here that takes its time, so that there is something to see before the answer.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { Client, Events, GatewayIntentBits } from 'discord.js';
import { check, next } from './expect.mjs';
import { Localcord, readSummary } from './localcord.mjs';

const [summaryPath, clawvoice, scheme = 'https'] = process.argv.slice(2);
const summary = await readSummary(summaryPath);
const localcord = new Localcord(summary);
const api = (scheme === 'https' ? summary.api_url_tls : summary.api_url).replace(/\/v10$/, '');
const [general, random] = [localcord.channel('general'), localcord.channel('random')];
const ada = localcord.human('ada');
const byAgent = (message) => message.author?.id === summary.bot_user_id;

const PIECES = ['This is how a long answer begins, ', 'it goes on for a while, ', 'and here it ends.'];
const WHOLE = PIECES.join('');
/** Longer than clawvoice waits between two edits. */
const PACE_MS = 1_500;

/** A model of OpenAI's form that answers piece by piece. */
async function model() {
  const server = createServer(async (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const chunk = (delta, finish_reason) =>
      response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`);
    for (const content of PIECES) {
      chunk({ content }, null);
      await pause(PACE_MS);
    }
    chunk({}, 'stop');
    response.end('data: [DONE]\n\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Starts clawvoice; returns when it listens. */
async function agent(folder, port) {
  const config = join(folder, 'clawvoice.json5');
  await writeFile(
    config,
    JSON.stringify({
      gateway: { clawvoice: { health: { enabled: false } } },
      messages: { inbound: { debounceMs: 0 } },
      agents: { defaults: { model: 'here/slow' } },
      models: { providers: { here: { baseUrl: `http://127.0.0.1:${port}/v1`, apiKey: 'none' } } },
      channels: {
        discord: {
          apiBaseUrl: summary.api_url,
          guilds: { [summary.guild_id]: { channels: { [general]: {}, [random]: { autoThread: true } } } },
          streaming: { mode: 'partial' },
          replyToMode: 'first',
          voice: { enabled: false },
        },
      },
    }),
  );
  const env = { ...process.env, HOME: folder, NO_COLOR: '1', DISCORD_BOT_TOKEN: summary.bot_token };
  const process_ = spawn(clawvoice, ['gateway', '--config', config], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  await new Promise((resolve, reject) => {
    let log = '';
    process_.stderr.on('data', (bytes) => {
      log += bytes;
      if (log.includes('Discord gateway ready')) resolve();
    });
    process_.on('exit', () => reject(new Error(`clawvoice ended:\n${log}`)));
  });
  return process_;
}

async function watcher() {
  const bot = await localcord.post('bots', { name: 'watcher' });
  const { Guilds, GuildMessages, GuildMessageReactions, GuildMessageTyping, MessageContent } = GatewayIntentBits;
  const client = new Client({
    intents: [Guilds, GuildMessages, GuildMessageReactions, GuildMessageTyping, MessageContent],
    rest: { api },
  });
  client.on(Events.Error, (error) => console.error('client:', error));
  const ready = next(client, Events.ClientReady);
  await client.login(bot.token);
  await ready;
  return client;
}

const ask = (channel, words) =>
  localcord.post(`humans/${ada}/messages`, { channel_id: channel, content: `<@${summary.bot_user_id}> ${words}` });

async function seeAnAnswer(client) {
  const typing = next(client, Events.TypingStart, (it) => it.user.id === summary.bot_user_id);
  const reaction = next(client, Events.MessageReactionAdd, (_, user) => user.id === summary.bot_user_id);
  const draft_ = next(client, Events.MessageCreate, byAgent);
  const edit = next(client, Events.MessageUpdate, (_, after) => byAgent(after));
  const final_ = next(client, Events.MessageCreate, (it) => byAgent(it) && it.content === WHOLE);
  const gone = next(client, Events.MessageDelete, byAgent);
  const question = await ask(general, 'tell me');
  check((await typing).channel.id === general, 'the agent types');
  check((await reaction).message.id === question.id, 'it reacts to the question');
  const draft = await draft_;
  check(WHOLE.startsWith(draft.content.trimEnd()) && draft.content !== WHOLE, 'a draft of its answer is seen');
  check((await edit).id === draft.id, 'the draft grows');
  const final = await final_;
  check(final.id !== draft.id && final.reference?.messageId === question.id, 'the answer comes whole, as a reply');
  check((await gone).id === draft.id, 'the draft goes');
}

async function seeAThread(client) {
  const thread_ = next(client, Events.ThreadCreate);
  const final_ = next(client, Events.MessageCreate, (it) => byAgent(it) && it.content === WHOLE);
  const question = await ask(random, 'what about threads?');
  const thread = await thread_;
  check(thread.parentId === random && thread.id === question.id, 'a thread is opened on a question');
  check(thread.name === 'what about threads?' && thread.ownerId === summary.bot_user_id, 'by the agent, with a name');
  check((await final_).channelId === thread.id, 'the answer is in the thread');
}

const folder = await mkdtemp(join(tmpdir(), 'clawvoice-watched-'));
const server = await model();
let [process_, client] = [];
try {
  process_ = await agent(folder, server.address().port);
  client = await watcher();
  await seeAnAnswer(client);
  await seeAThread(client);
} finally {
  client?.destroy();
  if (process_) {
    process_.removeAllListeners('exit');
    process_.kill('SIGTERM');
  }
  server.close();
  server.closeAllConnections();
  await rm(folder, { recursive: true, force: true });
}
