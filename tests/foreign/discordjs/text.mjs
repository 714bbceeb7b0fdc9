// discord.js, as it comes from npm, watches what another bot writes on localcord.
//
//   NODE_EXTRA_CA_CERTS=ca.pem node text.mjs SUMMARY [http|https]
//
// SUMMARY is a file with the JSON line of `localcord serve --json`. The other bot is plain REST
// calls with the default bot's token; discord.js has a bot of its own.

import {
  ChannelType,
  Client,
  Events,
  GatewayIntentBits,
  MessageFlags,
  MessageReferenceType,
  MessageType,
  Partials,
  PermissionFlagsBits,
} from 'discord.js';
import { check, next } from './expect.mjs';
import { Localcord, readSummary } from './localcord.mjs';

const [summaryPath, scheme = 'https'] = process.argv.slice(2);
const summary = await readSummary(summaryPath);
const localcord = new Localcord(summary);
const api = (scheme === 'https' ? summary.api_url_tls : summary.api_url).replace(/\/v10$/, '');
const general = localcord.channel('general');
const guildId = summary.guild_id;
const [ada, ben] = [localcord.human('ada'), localcord.human('ben')];

/** The other bot does something; the body of the answer. */
async function other(method, path, body) {
  const answer = await localcord.rest(summary.bot_token, method, path, body);
  if (answer.status >= 300) {
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  return answer.body;
}

/** Runs an order and waits for the event that tells of it. */
async function told(client, event, fits, order) {
  const event_ = next(client, event, fits);
  const answer = await order();
  return [await event_, answer];
}

async function prepare() {
  await localcord.call('PUT', 'faults', { restLimits: { off: true } });
  const bot = await localcord.post('bots', { name: 'watcher' });
  const role = await localcord.post(`guilds/${guildId}/roles`, {
    name: 'moderators',
    mentionable: true,
    permissions: ['MANAGE_WEBHOOKS', 'MANAGE_THREADS', 'MANAGE_MESSAGES', 'PIN_MESSAGES'],
  });
  for (const user of [bot.user_id, summary.bot_user_id]) {
    await localcord.call('PUT', `guilds/${guildId}/members/${user}`, { roles: [role.id] });
  }
  const forum = await localcord.post(`guilds/${guildId}/channels`, {
    name: 'help',
    type: 'forum',
    available_tags: [{ name: 'bug' }],
    require_tag: true,
  });
  const emoji = await localcord.post(`guilds/${guildId}/emojis`, { name: 'wave' });
  return { bot, role, forum, emoji };
}

async function logIn(bot) {
  const client = new Client({
    intents: [
      GatewayIntentBits.Guilds,
      GatewayIntentBits.GuildMembers,
      GatewayIntentBits.GuildMessages,
      GatewayIntentBits.GuildMessageReactions,
      GatewayIntentBits.GuildMessageTyping,
      GatewayIntentBits.GuildWebhooks,
      GatewayIntentBits.DirectMessages,
      GatewayIntentBits.MessageContent,
    ],
    partials: [Partials.Channel],
    rest: { api },
  });
  client.on(Events.Error, (error) => console.error('client:', error));
  client.on(Events.Warn, (warning) => console.error('client:', warning));
  const ready = next(client, Events.ClientReady);
  await client.login(bot.token);
  await ready;
  return { client, guild: client.guilds.cache.get(guildId) };
}

const messages = (channel) => `/channels/${channel}/messages`;

async function seeMessages(client, { role }) {
  const byOther = (message) => message.author.id === summary.bot_user_id;
  const [seen, sent] = await told(client, Events.MessageCreate, byOther, () =>
    other('POST', messages(general), {
      content: `hello <@${client.user.id}> <@&${role.id}>`,
      embeds: [{ title: 'a title' }],
      flags: MessageFlags.SuppressNotifications,
    }),
  );
  check(seen.id === sent.id && seen.author.bot, "another bot's message comes with its author");
  check(seen.member?.roles.cache.has(role.id), 'its author is a member with roles');
  check(seen.mentions.has(client.user) && seen.mentions.roles.has(role.id), 'it mentions a user and a role');
  check(seen.embeds[0].title === 'a title' && seen.flags.has(MessageFlags.SuppressNotifications), 'it has its embed and its flag');
  check(!seen.mentions.everyone, 'it does not mention everyone');

  const edited = next(client, Events.MessageUpdate, (before) => before.id === sent.id);
  await other('PATCH', `${messages(general)}/${sent.id}`, { content: 'edited' });
  const before = await edited;
  check(seen.content === 'edited' && seen.editedTimestamp > 0, 'an edit changes what was seen');
  check(before.content.startsWith('hello'), 'what it was before is known');

  const [reply] = await told(client, Events.MessageCreate, byOther, () =>
    other('POST', messages(general), { content: 'a reply', message_reference: { message_id: sent.id } }),
  );
  check(reply.type === MessageType.Reply && reply.reference.messageId === sent.id, 'a reply names what it answers');
  check((await reply.fetchReference()).content === 'edited', 'what it answers can be fetched');

  const [forward] = await told(client, Events.MessageCreate, byOther, () =>
    other('POST', messages(general), {
      message_reference: { type: 1, message_id: sent.id, channel_id: general },
    }),
  );
  check(forward.reference.type === MessageReferenceType.Forward, 'a forward is one');
  check(forward.messageSnapshots.first().content === 'edited', 'it carries what it forwards');
  const own = await seen.forward(general);
  check(own.messageSnapshots.first().content === 'edited', 'discord.js forwards, too');

  const gone = next(client, Events.MessageDelete, (message) => message.id === reply.id);
  await other('DELETE', `${messages(general)}/${reply.id}`);
  await gone;
  check(true, 'a deletion is told');
  const bulk = next(client, Events.MessageBulkDelete);
  await other('POST', `${messages(general)}/bulk-delete`, { messages: [forward.id, own.id] });
  check((await bulk).size === 2, 'many deletions at once are told');
  return seen;
}

async function seeReactions(client, message, { emoji }) {
  const path = `${messages(general)}/${message.id}/reactions`;
  for (const [name, shown] of [[encodeURIComponent('👍'), '👍'], [`wave:${emoji.id}`, 'wave']]) {
    const [added] = await told(client, Events.MessageReactionAdd, undefined, () =>
      other('PUT', `${path}/${name}/@me`),
    );
    check(added.emoji.name === shown && added.count === 1, `a reaction with ${shown} is told`);
  }
  await localcord.as(ada, 'PUT', `${path}/${encodeURIComponent('👍')}/@me`);
  await message.fetch();
  check(message.reactions.resolve('👍').count === 2, 'reactions are counted');
  const [removed] = await told(client, Events.MessageReactionRemove, undefined, () =>
    other('DELETE', `${path}/${encodeURIComponent('👍')}/@me`),
  );
  check(removed.emoji.name === '👍', 'a reaction that is taken back is told');
  const [emptied] = await told(client, Events.MessageReactionRemoveEmoji, undefined, () =>
    other('DELETE', `${path}/wave:${emoji.id}`),
  );
  check(emptied.emoji.name === 'wave', 'all of one emoji going is told');
  await told(client, Events.MessageReactionRemoveAll, undefined, () => other('DELETE', path));
  check(message.reactions.cache.size === 0, 'all reactions going is told');
  const refused = await message.react('wave:5').catch((error) => error);
  check(refused.code === 10014, 'an unknown emoji is refused with 10014');
}

async function seeTyping(client) {
  const [typing] = await told(client, Events.TypingStart, undefined, () =>
    other('POST', `/channels/${general}/typing`),
  );
  check(typing.user.id === summary.bot_user_id && typing.inGuild(), 'typing is told');
}

async function seeThreads(client, guild, message) {
  const updated = next(client, Events.MessageUpdate, (before) => before.id === message.id);
  const [thread] = await told(client, Events.ThreadCreate, (_, fresh) => fresh, () =>
    other('POST', `${messages(general)}/${message.id}/threads`, { name: 'about it', auto_archive_duration: 60 }),
  );
  await updated;
  check(thread.id === message.id && thread.autoArchiveDuration === 60, 'a new thread is told');
  check(message.hasThread && message.thread.id === thread.id, 'its message has it');
  check((await thread.fetchStarterMessage()).id === message.id, 'it begins with its message');

  const inThread = (seen) => seen.channelId === thread.id && seen.type === MessageType.Default;
  const [said] = await told(client, Events.MessageCreate, inThread, () =>
    other('POST', messages(thread.id), { content: `in it, <@${client.user.id}>` }),
  );
  check(said.channel.isThread() && said.position === 0, 'a message in the thread comes');
  await thread.members.fetch();
  check(thread.members.cache.has(client.user.id), 'who is mentioned in it is in it');

  const change = (fits, body) =>
    told(client, Events.ThreadUpdate, (_, now) => fits(now), () => other('PATCH', `/channels/${thread.id}`, body));
  await change((now) => now.name === 'renamed', { name: 'renamed' });
  await change((now) => now.archived, { archived: true });
  check(thread.archived && thread.name === 'renamed', 'a new name and archiving are told');
  const archived = await guild.channels.cache.get(general).threads.fetchArchived();
  check(archived.threads.has(thread.id), 'it is listed among the archived ones');
  const opened = next(client, Events.ThreadUpdate, (_, now) => !now.archived);
  await thread.send('open again');
  await opened;
  check(!thread.archived, 'a message opens it again');
  await change((now) => now.locked, { locked: true });
  const active = await guild.channels.fetchActiveThreads();
  check(active.threads.has(thread.id), 'it is listed among the active ones');
  await told(client, Events.ThreadDelete, (gone) => gone.id === thread.id, () =>
    other('DELETE', `/channels/${thread.id}`),
  );
  check(!guild.channels.cache.has(thread.id), 'its deletion is told');

  const joins = (added) => added.has(client.user.id);
  const [, secret] = await told(client, Events.ThreadMembersUpdate, joins, async () => {
    const made = await localcord.as(ben, 'POST', `/channels/${general}/threads`, { name: 'secret', type: 12 });
    await localcord.as(ben, 'PUT', `/channels/${made.id}/thread-members/${client.user.id}`);
    return made;
  });
  const known = guild.channels.cache.get(secret.id);
  check(known.type === ChannelType.PrivateThread && known.joined, 'being added to a private thread is told');
}

async function seePosts(client, guild, { forum }) {
  const channel = guild.channels.cache.get(forum.id);
  check(channel.type === ChannelType.GuildForum && channel.availableTags[0].name === 'bug', 'the forum has its tags');
  const tag = channel.availableTags[0].id;
  const starts = next(client, Events.MessageCreate, (message) => message.channel.parentId === forum.id);
  const [post] = await told(client, Events.ThreadCreate, (_, fresh) => fresh, () =>
    other('POST', `/channels/${forum.id}/threads`, {
      name: 'it breaks',
      applied_tags: [tag],
      message: { content: 'always' },
    }),
  );
  check(post.parentId === forum.id && post.appliedTags[0] === tag, 'a post comes with its tags');
  const starter = await starts;
  check(starter.id === post.id && starter.content === 'always', 'its first message has its id');
  const own = await channel.threads.create({ name: 'mine', message: { content: 'text' }, appliedTags: [tag] });
  check((await own.fetchStarterMessage()).content === 'text', 'discord.js posts');
  const untagged = await channel.threads
    .create({ name: 'mine', message: { content: 'text' } })
    .catch((error) => error);
  check(untagged.code === 40067, 'a post without a tag is refused with 40067');
  const direct = await localcord.rest(summary.bot_token, 'POST', messages(forum.id), { content: 'x' });
  check(direct.body.code === 40058, 'a message to the forum itself is refused with 40058');
}

async function seeWebhooks(client, guild) {
  const channel = guild.channels.cache.get(general);
  check(channel.permissionsFor(client.user).has(PermissionFlagsBits.ManageWebhooks), 'the bot may manage webhooks');
  const hook = await channel.createWebhook({ name: 'bridge' });
  check((await channel.fetchWebhooks()).has(hook.id), 'a webhook is made and listed');
  const path = `/webhooks/${hook.id}/${hook.token}`;
  const [seen, sent] = await told(client, Events.MessageCreate, (message) => message.webhookId !== null, () =>
    other('POST', `${path}?wait=true`, { content: 'through it', username: 'Luna' }),
  );
  check(seen.id === sent.id && seen.webhookId === hook.id, "a webhook's message names it");
  check(seen.author.username === 'Luna' && seen.author.bot && seen.member === null, 'its author is who it said');
  const edited = next(client, Events.MessageUpdate, (before) => before.id === sent.id);
  await other('PATCH', `${path}/messages/${sent.id}`, { content: 'edited' });
  await edited;
  check(seen.content === 'edited', 'it is edited');
  const own = await hook.send({ content: 'by discord.js', username: 'Sol' });
  check(own.author.username === 'Sol', 'discord.js executes it');
  await hook.deleteMessage(own.id);
  await hook.delete();
  const refused = await channel.createWebhook({ name: 'discord' }).catch((error) => error);
  check(refused.code === 50035, "Discord's name is refused with 50035");
}

async function seePins(client, message) {
  const note = next(client, Events.MessageCreate, (seen) => seen.type === MessageType.ChannelPinnedMessage);
  await told(client, Events.ChannelPinsUpdate, undefined, () =>
    other('PUT', `${messages(general)}/pins/${message.id}`),
  );
  check((await note).reference.messageId === message.id && message.pinned, 'a pin is told');
  const pins = await message.channel.messages.fetchPins();
  check(pins.items[0].message.id === message.id, 'it is listed');
  const unpinned = next(client, Events.MessageUpdate, (before) => before.id === message.id);
  await message.unpin();
  await unpinned;
  check(!message.pinned, 'it is taken away');
}

async function talkDirectly(client) {
  const user = await client.users.fetch(ben);
  await user.send('hello ben');
  const [answer] = await told(client, Events.MessageCreate, (message) => message.author.id === ben, () =>
    localcord.post(`humans/${ben}/messages`, { user_id: client.user.id, content: 'hello bot' }),
  );
  check(answer.channel.isDMBased() && answer.content === 'hello bot', 'a direct message is answered');
  await localcord.call('PUT', `humans/${ben}/direct-messages`, { blocked: [client.user.id] });
  const refused = await user.send('still there?').catch((error) => error);
  check(refused.code === 50007, 'whoever blocks the bot is not reached: 50007');
}

const prepared = await prepare();
const { client, guild } = await logIn(prepared.bot);
const message = await seeMessages(client, prepared);
await seeReactions(client, message, prepared);
await seeTyping(client);
await seePins(client, message);
await seeThreads(client, guild, message);
await seePosts(client, guild, prepared);
await seeWebhooks(client, guild);
await talkDirectly(client);
await client.destroy();
console.log(`discord.js as a watcher over ${scheme}: passed`);
process.exit(0);
