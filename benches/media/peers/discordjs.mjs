// How long a packet waits in @discordjs/voice, as it comes from npm: from its datagram at the UDP
// socket to the Opus packet on the receive stream. It neither orders nor decodes.
//
//   NODE_EXTRA_CA_CERTS=ca.pem node discordjs.mjs SUMMARY WAV
//
// SUMMARY is a file with the JSON line of localcord. The last line printed is a list of ms.

import { readFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { EndBehaviorType, VoiceConnectionStatus, entersState, joinVoiceChannel } from '@discordjs/voice';
import { Client, Events, GatewayIntentBits } from 'discord.js';
import { Localcord, readSummary } from './localcord.mjs';

const STEP_TIME_MS = 20_000;
/** Longer than it takes a stream to hand on what has come. */
const DRAIN_MS = 200;

const [summaryPath, wavPath] = process.argv.slice(2);
const summary = await readSummary(summaryPath);
const localcord = new Localcord(summary);
const [lounge, ada] = [localcord.channel('Lounge'), localcord.human('ada')];

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildVoiceStates],
  rest: { api: summary.api_url_tls.replace(/\/v10$/, '') },
});
const ready = new Promise((resolve) => client.once(Events.ClientReady, resolve));
await client.login(summary.bot_token);
await ready;
const guild = client.guilds.cache.get(summary.guild_id);

await localcord.join(ada, lounge);
const connection = joinVoiceChannel({
  channelId: lounge,
  guildId: guild.id,
  adapterCreator: guild.voiceAdapterCreator,
  selfDeaf: false,
});
await entersState(connection, VoiceConnectionStatus.Ready, STEP_TIME_MS);
// Waits until ada shares the bot's epoch; she is there already.
await localcord.join(ada, lounge);

// Packets are 20 ms apart and each is handed on before the next comes, so what comes out is the one
// that came last.
let came;
connection.state.networking.state.udp.prependListener('message', () => (came = performance.now()));
const waits = [];
const stream = connection.receiver.subscribe(ada, { end: { behavior: EndBehaviorType.Manual } });
stream.on('data', () => waits.push(performance.now() - came));

const spoken = await localcord.speak(ada, await readFile(wavPath));
await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
if (waits.length < spoken.frames * 0.98) throw new Error(`heard ${waits.length} of ${spoken.frames}`);
console.log(JSON.stringify(waits));
process.exit(0);
