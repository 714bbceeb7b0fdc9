//! Slash commands, between our words and twilight's.
//!
//! Source: Discord, "Application Commands".

use twilight_model::{
    application::command::{Command, CommandOption, CommandOptionType, CommandType},
    channel::ChannelType,
};
use twilight_util::builder::command::{
    ChannelBuilder, CommandBuilder, StringBuilder, SubCommandBuilder,
};

use crate::command::{ChannelOption, Definition, Subcommand, TextOption};

/// Our definition in twilight's words.
pub(super) fn command(definition: &Definition) -> Command {
    let mut builder =
        CommandBuilder::new(&definition.name, &definition.description, CommandType::ChatInput);
    for text in &definition.texts {
        builder = builder.option(string(text));
    }
    for subcommand in &definition.subcommands {
        let mut built = SubCommandBuilder::new(&subcommand.name, &subcommand.description);
        if let Some(channel) = &subcommand.channel {
            built = built.option(
                ChannelBuilder::new(&channel.name, &channel.description)
                    .channel_types([ChannelType::GuildVoice, ChannelType::GuildStageVoice])
                    .required(true),
            );
        }
        for text in &subcommand.texts {
            built = built.option(string(text));
        }
        builder = builder.option(built);
    }
    builder.build()
}

fn string(text: &TextOption) -> StringBuilder {
    StringBuilder::new(&text.name, &text.description).required(text.required)
}

/// twilight's command in our words; `None` if it says something ours cannot.
fn definition(command: &Command) -> Option<Definition> {
    let localised = command.name_localizations.as_ref().is_some_and(|names| !names.is_empty())
        || command.description_localizations.as_ref().is_some_and(|texts| !texts.is_empty());
    if command.kind != CommandType::ChatInput
        || command.default_member_permissions.is_some()
        || command.nsfw == Some(true)
        || localised
    {
        return None;
    }
    let (strings, others): (Vec<_>, Vec<_>) = command.options.iter().partition(is_string);
    Some(Definition {
        name: command.name.clone(),
        description: command.description.clone(),
        texts: strings.into_iter().map(text_option).collect::<Option<_>>()?,
        subcommands: others.into_iter().map(subcommand).collect::<Option<_>>()?,
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as `partition` wants it")]
fn is_string(option: &&CommandOption) -> bool {
    option.kind == CommandOptionType::String
}

fn subcommand(option: &CommandOption) -> Option<Subcommand> {
    if option.kind != CommandOptionType::SubCommand {
        return None;
    }
    let asked = option.options.as_deref().unwrap_or_default();
    let (strings, others): (Vec<_>, Vec<_>) = asked.iter().partition(is_string);
    let channel = match others.as_slice() {
        [] => None,
        [channel] => Some(channel_option(channel)?),
        _ => return None,
    };
    Some(Subcommand {
        name: option.name.clone(),
        description: option.description.clone(),
        channel,
        texts: strings.into_iter().map(text_option).collect::<Option<_>>()?,
    })
}

/// A text that is not bounded, chosen or completed in any way.
fn text_option(option: &CommandOption) -> Option<TextOption> {
    let is_plain = option.choices.as_ref().is_none_or(Vec::is_empty)
        && option.autocomplete != Some(true)
        && option.min_length.is_none()
        && option.max_length.is_none();
    is_plain.then(|| TextOption {
        name: option.name.clone(),
        description: option.description.clone(),
        required: option.required == Some(true),
    })
}

fn channel_option(option: &CommandOption) -> Option<ChannelOption> {
    let kinds = option.channel_types.as_deref().unwrap_or_default();
    let voice_only = kinds.len() == 2
        && kinds.contains(&ChannelType::GuildVoice)
        && kinds.contains(&ChannelType::GuildStageVoice);
    (option.kind == CommandOptionType::Channel && option.required == Some(true) && voice_only).then(
        || ChannelOption { name: option.name.clone(), description: option.description.clone() },
    )
}

/// Whether Discord has exactly the wanted commands, in any order.
pub(super) fn same(present: &[Command], wanted: &[Definition]) -> bool {
    present.len() == wanted.len()
        && present
            .iter()
            .all(|command| definition(command).is_some_and(|have| wanted.contains(&have)))
}

#[cfg(test)]
mod tests {
    use twilight_model::id::Id;

    use super::*;
    use crate::{
        command::definitions,
        control::{self, ControlRules},
    };

    /// All that can be registered.
    fn all() -> Vec<Definition> {
        let rules = ControlRules { config: true, config_writes: true, bindings: true };
        [definitions(true), control::definitions(rules)].concat()
    }

    #[test]
    fn what_we_register_is_recognised_when_read_back() {
        let wanted = all();
        let sent: Vec<Command> = wanted.iter().map(command).collect();
        // What Discord sends back carries ids and explicit defaults.
        let mut read: Vec<Command> =
            serde_json::from_str(&serde_json::to_string(&sent).unwrap()).unwrap();
        for command in &mut read {
            command.id = Some(Id::new(5));
            command.application_id = Some(Id::new(6));
            command.version = Id::new(7);
            command.nsfw = Some(false);
        }
        assert!(same(&read, &wanted));
        assert!(same(&[], &[]));
    }

    #[test]
    fn a_text_that_is_not_as_we_ask_for_it_is_seen() {
        let wanted: Vec<Definition> =
            all().into_iter().filter(|definition| definition.name == "config").collect();
        let sent = command(&wanted[0]);
        assert!(same(std::slice::from_ref(&sent), &wanted));
        let changes: [fn(&mut CommandOption); 4] = [
            |option| option.required = Some(false),
            |option| option.max_length = Some(5),
            |option| option.autocomplete = Some(true),
            |option| option.kind = CommandOptionType::Integer,
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut changed = sent.clone();
            // `set`, whose texts are required.
            change(&mut changed.options[1].options.as_mut().unwrap()[0]);
            assert!(!same(&[changed], &wanted), "change {index} was not seen");
        }
    }

    #[test]
    fn every_difference_is_seen() {
        let wanted = definitions(true);
        let sent = command(&wanted[0]);
        let changes: [fn(&mut Command); 6] = [
            |command| command.name = "vd".to_owned(),
            |command| command.description.push('!'),
            |command| command.options.clear(),
            |command| command.options[0].description.push('!'),
            |command| command.options[0].options = None,
            |command| command.nsfw = Some(true),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut changed = sent.clone();
            change(&mut changed);
            assert!(!same(&[changed], &wanted), "change {index} was not seen");
        }
        assert!(!same(&[], &wanted));
        assert!(!same(&[sent], &[]));
    }
}
