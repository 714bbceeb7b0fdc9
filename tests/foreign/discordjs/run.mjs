// discord.js and @discordjs/voice, as they come from npm, as a bot on localcord.
//
//   NODE_EXTRA_CA_CERTS=ca.pem node run.mjs SUMMARY LOCALCORD [http|https]
//
// SUMMARY is a file with the JSON line of `localcord serve --json`, LOCALCORD the binary. The one
// thing that is set is discord.js's own option for the base URL; the address of the gateway comes
// from localcord.

import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  AudioPlayerStatus,
  EndBehaviorType,
  StreamType,
  VoiceConnectionStatus,
  createAudioPlayer,
  createAudioResource,
  entersState,
  joinVoiceChannel,
} from '@discordjs/voice';
import {
  ApplicationCommandOptionType,
  ChannelType,
  Client,
  Events,
  GatewayIntentBits,
} from 'discord.js';
import OpusScript from 'opusscript';
import { similarity, toStereo48k, toWav } from './audio.mjs';
import { STEP_TIME_MS, check, next } from './expect.mjs';
import { Localcord, readSummary } from './localcord.mjs';

const FIXTURES = pathToFileURL(process.env.FIXTURES ?? fileURLToPath(new URL('../../../fixtures/audio/', import.meta.url)));

const [summaryPath, binary, scheme = 'https'] = process.argv.slice(2);
const summary = await readSummary(summaryPath);
const localcord = new Localcord(summary);
const api = (scheme === 'https' ? summary.api_url_tls : summary.api_url).replace(/\/v10$/, '');
const [lounge, general] = [localcord.channel('Lounge'), localcord.channel('general')];
const [ada, ben] = [localcord.human('ada'), localcord.human('ben')];

async function logIn() {
  const client = new Client({
    intents: [
      GatewayIntentBits.Guilds,
      GatewayIntentBits.GuildMessages,
      GatewayIntentBits.GuildVoiceStates,
      GatewayIntentBits.MessageContent,
    ],
    rest: { api },
  });
  client.on(Events.Error, (error) => console.error('client:', error));
  client.on(Events.Warn, (warning) => console.error('client:', warning));
  const ready = next(client, Events.ClientReady);
  await client.login(summary.bot_token);
  await ready;
  const guild = client.guilds.cache.get(summary.guild_id);
  check(client.user.id === summary.bot_user_id, 'READY names the bot');
  check(guild?.available, 'GUILD_CREATE came');
  check(guild.channels.cache.get(lounge)?.type === ChannelType.GuildVoice, 'the guild has its voice channel');
  check(guild.channels.cache.get(lounge).joinable, 'the bot may join it');
  return { client, guild };
}

async function talkInWriting(client, guild) {
  const channel = guild.channels.cache.get(general);
  const created = next(client, Events.MessageCreate, (message) => message.author.id === client.user.id);
  const sent = await channel.send({ content: 'hello from discord.js' });
  check((await created).id === sent.id, 'a sent message comes back as MESSAGE_CREATE');
  const edited = await sent.edit('edited');
  check(edited.content === 'edited' && edited.editedTimestamp !== null, 'a message is edited');
  const listed = await channel.messages.fetch({ limit: 5 });
  check(listed.get(sent.id)?.content === 'edited', 'a message is listed');
  const reply = await sent.reply({ content: 'a reply', files: [{ attachment: Buffer.from('text'), name: 'note.txt' }] });
  check(reply.reference?.messageId === sent.id, 'a message replies to another');
  check(reply.attachments.first()?.size === 4, 'a file is attached');
  await sent.react('👍');
  const deleted = next(client, Events.MessageDelete, (message) => message.id === sent.id);
  await sent.delete();
  await deleted;
  const left = await localcord.get(`channels/${general}/messages?limit=5`);
  check(!left.some((message) => message.id === sent.id), 'a message is deleted');

  const heard = next(client, Events.MessageCreate, (message) => message.author.id === ada);
  await localcord.post(`humans/${ada}/messages`, { channel_id: general, content: 'hi bot' });
  check((await heard).content === 'hi bot', "a human's message arrives with its content");
  const member = await guild.members.fetch(ada);
  check(member.user.username === 'ada', 'a member is fetched');
  const refused = await channel.send('x'.repeat(2001)).catch((error) => error);
  check(refused.code === 50035, 'a message of 2001 characters is refused with 50035');
}

async function answerCommands(client, guild) {
  const commands = await guild.commands.set([
    { name: 'ping', description: 'answers at once' },
    {
      name: 'say',
      description: 'answers later',
      options: [
        { name: 'text', description: 'what', type: ApplicationCommandOptionType.String, required: true },
      ],
    },
  ]);
  check(commands.size === 2, 'slash commands are registered');
  const errors = [];
  client.on(Events.InteractionCreate, async (interaction) => {
    try {
      if (!interaction.isChatInputCommand()) return;
      if (interaction.commandName === 'ping') {
        await interaction.reply({ content: 'pong', flags: 64 });
        return;
      }
      await interaction.deferReply();
      await interaction.editReply(`you said ${interaction.options.getString('text', true)}`);
      await interaction.followUp('and more');
    } catch (error) {
      errors.push(error);
    }
  });
  const followed = next(client, Events.MessageCreate, (message) => message.content === 'and more');
  const ping = await localcord.command(ada, 'ping', {}, general);
  check(JSON.stringify(ping).includes('"pong"'), 'a command is answered at once');
  const said = await localcord.command(ada, 'say', { text: 'this' }, general);
  check(JSON.stringify(said).includes('you said this'), 'a command is answered later');
  check((await followed).author.id === client.user.id, 'a follow-up is sent');
  if (errors.length > 0) throw errors[0];
}

async function joinVoice(guild) {
  await localcord.join(ada, lounge);
  const connection = joinVoiceChannel({
    channelId: lounge,
    guildId: guild.id,
    adapterCreator: guild.voiceAdapterCreator,
    selfDeaf: false,
    debug: process.env.DEBUG !== undefined,
  });
  connection.on('error', (error) => console.error('voice:', error));
  connection.on('debug', (line) => process.env.DEBUG && console.error('voice:', line));
  await entersState(connection, VoiceConnectionStatus.Ready, STEP_TIME_MS);
  check(true, 'the voice connection is ready');
  // Waits until ada shares the bot's epoch; she is there already.
  await localcord.join(ada, lounge);
  const stats = await localcord.get(`humans/${ada}/stats`);
  check(stats.dave_protocol_version === 1, 'the channel is end-to-end encrypted');
  check(stats.members.includes(summary.bot_user_id), 'the human and the bot share an epoch');
  return connection;
}

/** Subscribes, lets a human speak, and compares. */
async function hear(connection, human) {
  const wav = await readFile(new URL('ask.wav', FIXTURES));
  const decoder = new OpusScript(48_000, 2, OpusScript.Application.AUDIO);
  const stream = connection.receiver.subscribe(human, {
    end: { behavior: EndBehaviorType.Manual },
  });
  const pcm = [];
  let failed;
  stream.on('error', (error) => (failed = error));
  stream.on('data', (packet) => pcm.push(Buffer.from(decoder.decode(packet))));
  const speaking = next(connection.receiver.speaking, 'start', (user) => user === human);
  const silent = next(connection.receiver.speaking, 'end', (user) => user === human);
  const spoken = await localcord.speak(human, wav);
  await speaking;
  await silent;
  stream.destroy();
  if (failed) throw failed;
  console.log(`      ${pcm.length} packets decoded, ${spoken.frames} frames spoken`);
  check(pcm.length >= spoken.frames * 0.98, 'the bot hears what a human speaks');
  const alike = similarity(binary, wav, toWav(Buffer.concat(pcm)));
  check(alike >= 0.9, `it is the same speech (similarity ${alike.toFixed(3)})`);
  decoder.delete();
}

/** Plays a WAV; another human joins meanwhile, which changes the epoch. */
async function beHeard(client, connection) {
  const wav = await readFile(new URL('answer.wav', FIXTURES));
  const before = await localcord.get(`humans/${ada}/stats`);
  const player = createAudioPlayer();
  let failed;
  player.on('error', (error) => (failed = error));
  connection.subscribe(player);
  const resource = createAudioResource(Readable.from([toStereo48k(wav)]), {
    inputType: StreamType.Raw,
  });
  player.play(resource);
  await entersState(player, AudioPlayerStatus.Playing, STEP_TIME_MS);
  await localcord.join(ben, lounge);
  await entersState(player, AudioPlayerStatus.Idle, STEP_TIME_MS);
  if (failed) throw failed;
  const heard = await localcord.heard(ada, client.user.id);
  const alike = similarity(binary, wav, heard);
  check(alike >= 0.9, `a human hears the bot (similarity ${alike.toFixed(3)})`);
  const stats = await localcord.get(`humans/${ada}/stats`);
  check(stats.current_epoch > before.current_epoch, 'the epoch changed meanwhile');
  check(stats.undecryptable_after_ready === 0, 'every frame was decryptable');
  check(stats.decode_errors === 0, 'every frame was Opus');
}

/** Both websockets are lost and resumed; the conversation goes on. */
async function resume(client, connection) {
  const resumed = next(client, Events.ShardResume);
  await localcord.post('gateway/reconnect');
  await resumed;
  check(true, 'the main gateway is resumed after RECONNECT');
  const lost = entersState(connection, VoiceConnectionStatus.Connecting, STEP_TIME_MS);
  await localcord.post('faults/voice-close', { user_id: client.user.id, code: 4015 });
  await lost;
  await entersState(connection, VoiceConnectionStatus.Ready, STEP_TIME_MS);
  check(true, 'the voice gateway is resumed after 4015');
}

async function leaveVoice(client, connection) {
  connection.destroy();
  await localcord.left(client.user.id);
  check(true, 'the bot left voice');
}

const { client, guild } = await logIn();
await talkInWriting(client, guild);
await answerCommands(client, guild);
const connection = await joinVoice(guild);
await hear(connection, ada);
await beHeard(client, connection);
await hear(connection, ben);
await localcord.leave(ben);
await resume(client, connection);
await hear(connection, ada);
await leaveVoice(client, connection);
await client.destroy();
console.log(`discord.js over ${scheme}: passed`);
process.exit(0);
