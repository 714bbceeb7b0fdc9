// discord.js, as it comes from npm, builds components and modals and answers whoever uses them.
//
//   NODE_EXTRA_CA_CERTS=ca.pem node components.mjs SUMMARY [http|https]
//
// SUMMARY is a file with the JSON line of `localcord serve --json`. The humans click, choose, type
// and submit by localcord's control API.

import {
  ActionRowBuilder,
  AttachmentBuilder,
  ButtonBuilder,
  ButtonStyle,
  ChannelSelectMenuBuilder,
  ChannelType,
  CheckboxBuilder,
  CheckboxGroupBuilder,
  Client,
  ComponentType,
  ContainerBuilder,
  Events,
  FileBuilder,
  FileUploadBuilder,
  GatewayIntentBits,
  LabelBuilder,
  MediaGalleryBuilder,
  MentionableSelectMenuBuilder,
  MessageFlags,
  MessageType,
  ModalBuilder,
  RadioGroupBuilder,
  RoleSelectMenuBuilder,
  SectionBuilder,
  SeparatorBuilder,
  SeparatorSpacingSize,
  SlashCommandBuilder,
  StringSelectMenuBuilder,
  TextDisplayBuilder,
  TextInputBuilder,
  TextInputStyle,
  ThumbnailBuilder,
  UserSelectMenuBuilder,
} from 'discord.js';
import { check, next } from './expect.mjs';
import { Localcord, readSummary } from './localcord.mjs';

const [summaryPath, scheme = 'https'] = process.argv.slice(2);
const summary = await readSummary(summaryPath);
const localcord = new Localcord(summary);
const api = (scheme === 'https' ? summary.api_url_tls : summary.api_url).replace(/\/v10$/, '');
const [general, lounge] = [localcord.channel('general'), localcord.channel('Lounge')];
const guildId = summary.guild_id;
const [ada, ben] = [localcord.human('ada'), localcord.human('ben')];

async function prepare() {
  await localcord.call('PUT', 'faults', { restLimits: { off: true } });
  const bot = await localcord.post('bots', { name: 'panel' });
  const role = await localcord.post(`guilds/${guildId}/roles`, { name: 'staff' });
  return { bot, role };
}

async function logIn(bot) {
  const client = new Client({ intents: [GatewayIntentBits.Guilds], rest: { api } });
  client.on(Events.Error, (error) => console.error('client:', error));
  client.on(Events.Warn, (warning) => console.error('client:', warning));
  const ready = next(client, Events.ClientReady);
  await client.login(bot.token);
  await ready;
  return { client, channel: await client.channels.fetch(general) };
}

/** A human does something; the interaction that discord.js makes of it. */
async function does(client, what, body) {
  const interaction = next(client, Events.InteractionCreate);
  const { interaction_id: id } = await localcord.post(`humans/${ada}/${what}`, body);
  const told = await interaction;
  if (told.id !== id) throw new Error(`${told.id} is not ${id}`);
  return told;
}

const use = (client, message, customId, values) =>
  does(client, 'components', { channel_id: general, message_id: message.id, custom_id: customId, values });

/** What ada sees of an interaction. */
const sees = (interaction, query = '') => localcord.get(`humans/${ada}/interactions/${interaction.id}${query}`);

/** What the client refuses to do: status and words. */
async function refused(what, body) {
  const error = await localcord.post(`humans/${ben}/${what}`, body).catch((error) => error);
  return String(error.message ?? error);
}

const button = (id) => new ButtonBuilder().setCustomId(id).setLabel(id).setStyle(ButtonStyle.Primary);
const row = (...components) => new ActionRowBuilder().addComponents(...components);
const text = (content) => new TextDisplayBuilder().setContent(content);

function panel() {
  const options = ['a', 'b', 'c'].map((value) => ({ label: value.toUpperCase(), value }));
  return new ContainerBuilder()
    .setAccentColor(0x5865f2)
    .addTextDisplayComponents(text('# Panel'))
    .addSectionComponents(
      new SectionBuilder()
        .addTextDisplayComponents(text('a section'), text('with two texts'))
        .setButtonAccessory(button('beside').setStyle(ButtonStyle.Success).setEmoji('👍')),
      new SectionBuilder()
        .addTextDisplayComponents(text('and a picture'))
        .setThumbnailAccessory(new ThumbnailBuilder().setURL('https://example.com/a.png').setDescription('alt')),
    )
    .addSeparatorComponents(new SeparatorBuilder().setSpacing(SeparatorSpacingSize.Large).setDivider(false))
    .addMediaGalleryComponents(
      new MediaGalleryBuilder().addItems({ media: { url: 'attachment://picture.png' }, spoiler: true }),
    )
    .addFileComponents(new FileBuilder().setURL('attachment://notes.txt'))
    .addActionRowComponents(
      row(
        button('one'),
        button('off').setDisabled(true),
        new ButtonBuilder().setLabel('link').setStyle(ButtonStyle.Link).setURL('https://example.com'),
      ),
      row(new StringSelectMenuBuilder().setCustomId('string').setOptions(options).setMinValues(0).setMaxValues(2)),
      row(new UserSelectMenuBuilder().setCustomId('user').setDefaultUsers(ben)),
      row(new RoleSelectMenuBuilder().setCustomId('role').setPlaceholder('which one')),
      row(new MentionableSelectMenuBuilder().setCustomId('mentionable').setMaxValues(2)),
      row(new ChannelSelectMenuBuilder().setCustomId('channel').setChannelTypes(ChannelType.GuildVoice)),
    );
}

async function sendPanel(channel) {
  const files = [
    new AttachmentBuilder(Buffer.from('png'), { name: 'picture.png' }),
    new AttachmentBuilder(Buffer.from('notes'), { name: 'notes.txt' }),
  ];
  const sent = await channel.send({ components: [panel()], files, flags: MessageFlags.IsComponentsV2 });
  const message = await channel.messages.fetch({ message: sent.id, force: true });
  check(message.flags.has(MessageFlags.IsComponentsV2) && message.content === '', 'a message of components alone is sent');
  const container = message.components[0];
  check(container.type === ComponentType.Container && container.accentColor === 0x5865f2, 'its container is as it was built');
  const kinds = container.components.map((component) => component.type);
  check(kinds.join() === '10,9,9,14,12,13,1,1,1,1,1,1', 'what is in it comes in order');
  const ids = [];
  const collect = (component) => {
    ids.push(component.id);
    (component.components ?? []).forEach(collect);
    if (component.accessory) collect(component.accessory);
  };
  collect(container);
  check(ids.every((id, at) => id === at + 1), 'components are numbered in order');
  check(container.components[1].accessory.data.emoji.name === '👍', 'a button has its emoji');
  const file = container.components[5];
  check(file.data.name === 'notes.txt' && file.data.size === 5, 'a file has its name and size');
  check(file.file.url.startsWith('http') && message.attachments.size === 0, 'it is shown by its component alone');
  const [onlyDefault] = container.components[8].components[0].data.default_values;
  check(onlyDefault.id === ben, 'a select has its default value');
  return message;
}

async function seeRefusals(channel) {
  const cases = [
    ['a custom_id twice', { content: 'c', components: [row(button('x'), button('x'))] }, 'components[0].components[1].custom_id[COMPONENT_CUSTOM_ID_DUPLICATED]'],
    ['components alone without the flag', { components: [text('t')] }, 'components[0][UNION_TYPE_CHOICES]'],
    [
      'content with the flag',
      { content: 'c', components: [text('t')], flags: MessageFlags.IsComponentsV2 },
      'content[MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2]',
    ],
    [
      '41 components',
      { components: Array(41).fill(text('t')), flags: MessageFlags.IsComponentsV2 },
      'components[COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED]',
    ],
  ];
  for (const [what, payload, words] of cases) {
    const error = await channel.send(payload).catch((error) => error);
    check(error.code === 50035 && error.message.includes(words), `${what}: refused with its path`);
  }
}

async function clickButtons(client, message) {
  const first = await use(client, message, 'one');
  check(first.isButton() && first.customId === 'one', 'a click arrives as a button interaction');
  check(first.member.id === ada && first.guildId === guildId, 'with the member who clicked');
  check(first.message.id === message.id && first.channelId === general, 'and the message it was on');
  check(first.component.label === 'one', 'discord.js finds the button in it');
  const { resource } = await first.reply({ content: 'hello', flags: MessageFlags.Ephemeral, withResponse: true });
  check(resource.message.content === 'hello', 'the answer comes back if it is asked for');
  const seen = await sees(first, '?wait=true');
  check(seen.message.content === 'hello' && seen.message.flags === 64, 'ada sees the ephemeral answer');
  const again = await first.reply('twice').catch((error) => error);
  check(again.code === 'InteractionAlreadyReplied', 'discord.js answers once');
  await first.editReply({ content: 'edited', components: [row(button('inner'))] });
  await first.followUp({ content: 'more', flags: MessageFlags.Ephemeral });
  const later = await sees(first);
  check(later.message.content === 'edited' && later.followups[0].content === 'more', 'its edit and a followup, too');

  const inner = await use(client, { id: later.message.id }, 'inner');
  check(inner.message.flags.has(MessageFlags.Ephemeral), 'a button of an ephemeral message works for ada');
  await inner.update({ content: 'updated', components: [] });
  check((await sees(inner)).message.content === 'updated', 'and updates it');
  const foreign = await refused('components', { channel_id: general, message_id: later.message.id, custom_id: 'inner' });
  check(foreign.includes('404'), 'ben does not see it');
  await first.deleteReply();
  check((await sees(first)).message === null, 'it is deleted');

  const disabled = await refused('components', { channel_id: general, message_id: message.id, custom_id: 'off' });
  check(disabled.includes('409'), 'a disabled button cannot be clicked');

  const beside = await use(client, message, 'beside');
  await beside.deferReply({ flags: MessageFlags.Ephemeral });
  check((await sees(beside)).state === 'thinking', 'a deferred answer is being thought about');
  await beside.editReply({ components: [text('**there**')], flags: MessageFlags.IsComponentsV2 });
  check((await sees(beside)).message.components[0].content === '**there**', 'and filled in with components alone');
  await beside.fetchReply();
}

async function choose(client, message, { role }) {
  const string = await use(client, message, 'string', ['b', 'a']);
  check(string.isStringSelectMenu() && string.values.join() === 'b,a', 'options of a string select arrive');
  await string.deferUpdate();
  const none = await use(client, message, 'string', []);
  check(none.values.length === 0, 'none of them, too');
  await none.deferUpdate();
  const user = await use(client, message, 'user', [ben]);
  check(user.isUserSelectMenu() && user.users.first().username === 'ben', 'a user arrives with its name');
  check(user.members.has(ben), 'and as a member');
  await user.deferUpdate();
  const roles = await use(client, message, 'role', [role.id]);
  check(roles.isRoleSelectMenu() && roles.roles.first().name === 'staff', 'a role arrives');
  await roles.deferUpdate();
  const both = await use(client, message, 'mentionable', [ben, role.id]);
  check(both.isMentionableSelectMenu() && both.users.has(ben) && both.roles.has(role.id), 'users and roles arrive together');
  await both.deferUpdate();
  const channel = await use(client, message, 'channel', [lounge]);
  check(channel.isChannelSelectMenu() && channel.channels.first().name === 'Lounge', 'a channel arrives');
  await channel.update({ components: [text('thank you')] });
  const seen = await sees(channel, '?wait=true');
  check(seen.message.id === message.id && seen.message.components[0].content === 'thank you', 'an update changes the message');
  const wrong = await refused('components', { channel_id: general, message_id: message.id, custom_id: 'string', values: ['z'] });
  check(wrong.includes('404'), 'what is gone cannot be used');
}

const label = (name, set) => set(new LabelBuilder().setLabel(name));

function form() {
  const options = (...values) => values.map((value) => ({ label: value.toUpperCase(), value }));
  return new ModalBuilder()
    .setCustomId('form')
    .setTitle('A form')
    .addLabelComponents(
      label('Name', (l) =>
        l.setTextInputComponent(new TextInputBuilder().setCustomId('name').setStyle(TextInputStyle.Short).setMinLength(2)),
      ),
      label('Who', (l) => l.setMentionableSelectMenuComponent(new MentionableSelectMenuBuilder().setCustomId('who'))),
      label('Where', (l) => l.setChannelSelectMenuComponent(new ChannelSelectMenuBuilder().setCustomId('where').setRequired(false))),
      label('What', (l) =>
        l.setStringSelectMenuComponent(new StringSelectMenuBuilder().setCustomId('what').setOptions(options('x', 'y'))),
      ),
      label('Files', (l) => l.setFileUploadComponent(new FileUploadBuilder().setCustomId('files').setMaxValues(2))),
    );
}

function choices() {
  const options = (...values) => values.map((value) => ({ label: value.toUpperCase(), value }));
  return new ModalBuilder()
    .setCustomId('choices')
    .setTitle('Choices')
    .addTextDisplayComponents(text('choose'))
    .addLabelComponents(
      label('One', (l) => l.setRadioGroupComponent(new RadioGroupBuilder().setCustomId('one').setOptions(options('a', 'b')))),
      label('Some', (l) => l.setCheckboxGroupComponent(new CheckboxGroupBuilder().setCustomId('some').setOptions(options('a', 'b')))),
      label('Yes', (l) => l.setCheckboxComponent(new CheckboxBuilder().setCustomId('yes'))),
    );
}

async function fillIn(client, channel) {
  const message = await channel.send({ content: 'forms', components: [row(button('open'), button('choose'))] });
  const opener = await use(client, message, 'open');
  await opener.showModal(form());
  const seen = await sees(opener, '?wait=true');
  check(seen.modal.title === 'A form' && seen.modal.components.length === 5, 'ada sees the modal');
  const short = await refused('modals', { interaction_id: opener.id, values: {} });
  check(short.includes('404'), 'it is not for ben');
  const submit = await does(client, 'modals', {
    interaction_id: opener.id,
    values: { name: 'Ada', who: [ben], what: ['y'], files: [{ name: 'a.txt', text: 'hello' }] },
  });
  check(submit.isModalSubmit() && submit.isFromMessage(), 'a submission arrives');
  const { fields } = submit;
  check(fields.getTextInputValue('name') === 'Ada', 'with its text');
  check(fields.getSelectedMentionables('who').users.has(ben), 'a user');
  check(fields.getSelectedChannels('where') === null, 'no channel');
  check(fields.getStringSelectValues('what').join() === 'y', 'an option');
  const file = fields.getUploadedFiles('files').first();
  const fetched = await (await fetch(file.url)).text();
  check(file.name === 'a.txt' && fetched === 'hello', 'and a file that can be fetched');
  await submit.update({ content: 'filled in' });
  check((await sees(submit)).message.content === 'filled in', 'it updates the message with the button');

  const second = await use(client, message, 'choose');
  await second.showModal(choices());
  const chosen = await does(client, 'modals', { interaction_id: second.id, values: { one: 'b', some: ['a', 'b'], yes: true } });
  check(chosen.fields.getRadioGroup('one') === 'b', 'a radio group has one value');
  check(chosen.fields.getCheckboxGroup('some').join() === 'a,b', 'a checkbox group has some');
  check(chosen.fields.getCheckbox('yes') === true, 'a checkbox is ticked');
  await chosen.reply({ content: 'thank you', flags: MessageFlags.Ephemeral });
  check((await sees(chosen)).message.content === 'thank you', 'it is answered');
}

async function callCommands(client, bot) {
  const command = new SlashCommandBuilder()
    .setName('think')
    .setDescription('How hard')
    .addStringOption((option) => option.setName('level').setDescription('level').setRequired(true).setAutocomplete(true))
    .addIntegerOption((option) => option.setName('steps').setDescription('steps').setMinValue(1).setMaxValue(9))
    .addAttachmentOption((option) => option.setName('notes').setDescription('notes'));
  await client.application.commands.set([command]);
  const typing = await does(client, 'autocomplete', {
    name: 'think',
    application_id: bot.application_id,
    options: { level: 'hi' },
    focused: 'level',
  });
  check(typing.isAutocomplete() && typing.options.getFocused() === 'hi', 'what is typed arrives');
  await typing.respond([{ name: 'High', value: 'high' }]);
  check((await sees(typing, '?wait=true')).choices[0].value === 'high', 'ada sees the choices');
  const called = await does(client, 'commands', {
    name: 'think',
    application_id: bot.application_id,
    options: { level: 'high', steps: 3, notes: { name: 'n.txt', text: 'note' } },
  });
  check(called.isChatInputCommand() && called.options.getString('level') === 'high', 'a command arrives');
  check(called.options.getInteger('steps') === 3, 'with a number');
  check(called.options.getAttachment('notes').name === 'n.txt', 'and a file');
  await called.deferReply();
  await called.editReply('thought');
  const reply = await called.fetchReply();
  check(reply.content === 'thought' && reply.type === MessageType.ChatInputCommand, 'its deferred answer is there');
  check(reply.interactionMetadata.user.id === ada, 'it says who called');
}

async function meetFaults(client, channel) {
  const message = await channel.send({ content: 'faults', components: [row(button('twice'))] });
  await localcord.call('PUT', 'faults', {
    restLimits: { off: true },
    interactions: [{ times: 1, copies: 1, copyAfterMs: 50 }],
  });
  const seen = [];
  const second = next(client, Events.InteractionCreate, (interaction) => seen.push(interaction) === 2);
  await localcord.post(`humans/${ada}/components`, { channel_id: general, message_id: message.id, custom_id: 'twice' });
  await second;
  check(seen[0].id === seen[1].id, 'an interaction is delivered twice with one id');
  await seen[0].deferUpdate();
  const again = await seen[1].deferUpdate().catch((error) => error);
  check(again.code === 40060, 'its second answer is refused with 40060');
  const late = await use(client, message, 'twice');
  const failed = await sees(late, '?wait=true');
  check(failed.failure === 'This interaction failed', 'without an answer ada sees that it failed');
  const refusal = await late.deferUpdate().catch((error) => error);
  check(refusal.code === 10062, 'a late answer is refused with 10062');
}

const prepared = await prepare();
const { client, channel } = await logIn(prepared.bot);
const message = await sendPanel(channel);
await seeRefusals(channel);
await clickButtons(client, message);
await choose(client, message, prepared);
await fillIn(client, channel);
await callCommands(client, prepared.bot);
await meetFaults(client, channel);
await client.destroy();
console.log(`discord.js with components over ${scheme}: passed`);
process.exit(0);
