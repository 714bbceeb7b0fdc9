//! From the configuration to the settings of a voice channel's conversation.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clawvoice_config::{
    AgentSession, BargeInRule, BootstrapFile, Config, ConsultPolicy as ConfiguredConsult,
    SelectedProvider, SessionTarget, ToolPolicy as ConfiguredTools, VoiceMode,
};
use clawvoice_session::{
    ChannelId, SessionKey,
    access::{Place, Policy},
};
use clawvoice_voice::{
    batch::BatchSettings,
    conversation::{
        ConsultPolicy, ConversationSettings, FloorRules, Mode, ProfileFile, Prompt, Rights,
        ToolPolicy, Vad, WakeScope,
    },
    presence::link::SessionRequest,
    session::FrontEndSettings,
};

use tokio::sync::watch;

use crate::provider::RunningProvider;

/// Runs of one conversation are numbered within a block of this many.
const RUNS: u64 = 1 << 32;

/// Most bytes of a profile file that are read.
const MAX_PROFILE_BYTES: u64 = 64 * 1024;

/// What turns a session's request into its front end's settings, by the configuration as it is then.
/// `workspace`: where the agent's profile files are.
pub(crate) fn settings(
    config: watch::Receiver<Arc<Config>>,
    provider: Option<&RunningProvider>,
    workspace: Option<&Path>,
) -> Box<dyn Fn(&SessionRequest) -> FrontEndSettings + Send + Sync> {
    let fixed = Fixed::new(&config.borrow(), provider, workspace);
    let conversations = AtomicU64::new(0);
    Box::new(move |request| {
        let number = conversations.fetch_add(1, Ordering::Relaxed);
        let config = Arc::clone(&config.borrow());
        let base = Base { config: &config, fixed: &fixed };
        let settings = base.settings(request, number * RUNS + 1);
        match config.discord.voice.mode {
            VoiceMode::SttTts => base.batch(settings).into(),
            VoiceMode::AgentProxy | VoiceMode::Bidi => settings.into(),
        }
    })
}

/// What all conversations of the process have in common.
struct Fixed {
    model: String,
    voice: String,
    /// What only a running provider knows.
    provider: Option<ProviderSettings>,
    profile: Vec<ProfileFile>,
}

/// What the conversations that begin now have in common.
struct Base<'a> {
    config: &'a Config,
    fixed: &'a Fixed,
}

/// How the provider in use is spoken to.
struct ProviderSettings {
    profile: clawvoice_voice::realtime::Profile,
    transcription_model: Option<String>,
    session_limit: Duration,
}

impl Fixed {
    fn new(config: &Config, provider: Option<&RunningProvider>, workspace: Option<&Path>) -> Self {
        let files = &config.discord.voice.realtime.bootstrap_context_files;
        let profile = workspace.map(|workspace| read_profile(workspace, files));
        Self {
            model: provider.map(|provider| provider.model.clone()).unwrap_or_default(),
            voice: provider.map(|provider| provider.voice.clone()).unwrap_or_default(),
            provider: provider.map(|provider| ProviderSettings {
                profile: provider.profile.clone(),
                transcription_model: provider.transcription_model.clone(),
                session_limit: provider.session_limit,
            }),
            profile: profile.unwrap_or_default(),
        }
    }
}

impl Base<'_> {
    fn settings(&self, request: &SessionRequest, first_run: u64) -> ConversationSettings {
        let voice = &self.config.discord.voice;
        let realtime = &voice.realtime;
        let mut settings = ConversationSettings::new(request.guild, request.channel, request.user);
        settings.agent_id.clone_from(&self.config.agent.id);
        settings.mode = match voice.mode {
            VoiceMode::Bidi => Mode::Bidi,
            VoiceMode::AgentProxy | VoiceMode::SttTts => Mode::AgentProxy,
        };
        settings.consult_policy = match realtime.consult_policy {
            ConfiguredConsult::Always => ConsultPolicy::Always,
            ConfiguredConsult::Auto => ConsultPolicy::Auto,
        };
        settings.tool_policy = match realtime.tool_policy {
            ConfiguredTools::Owner => ToolPolicy::Owner,
            ConfiguredTools::SafeReadOnly => ToolPolicy::SafeReadOnly,
            ConfiguredTools::None => ToolPolicy::None,
        };
        settings.agent_model.clone_from(&voice.model);
        settings.voice_session = SessionKey::channel(&self.config.agent.id, request.channel);
        settings.supervisor_session =
            supervisor(self.config).unwrap_or_else(|| settings.voice_session.clone());
        settings.first_run = first_run;
        settings.debounce = realtime.debounce;
        settings.channel_prompt = self.channel_prompt(request);
        settings.rights = self.rights(request);
        settings.wake_names = realtime.require_wake_name.then(|| self.wake_names());
        if realtime.wake_at_edges {
            settings.wake_scope = WakeScope::Edges;
        }
        settings.model.clone_from(&self.fixed.model);
        settings.voice.clone_from(&self.fixed.voice);
        if let Some(provider) = &self.fixed.provider {
            settings.profile = provider.profile.clone();
            settings.transcription_model.clone_from(&provider.transcription_model);
            // Of an hour: due after 55 minutes, and at the end of the 59th in any case.
            settings.rotate_after = provider.session_limit * 11 / 12;
            settings.session_limit = provider.session_limit * 59 / 60;
        }
        settings.capture_silence_grace = voice.capture_silence_grace;
        settings.barge_in = realtime.barges_in();
        settings.floor = (realtime.barge_in_rule == BargeInRule::Confirm).then(|| FloorRules {
            confirm_ms: millis(realtime.barge_in_confirm),
            window_ms: millis(realtime.barge_in_window),
            ..FloorRules::default()
        });
        settings.echo_detection = realtime.echo_detection;
        settings.instructions = Prompt {
            mode: settings.mode,
            consult_policy: settings.consult_policy,
            tool_policy: settings.tool_policy,
            base: realtime.instructions.as_deref(),
            profile: &self.fixed.profile,
            channel: settings.channel_prompt.as_deref(),
        }
        .compose();
        if let Some(SelectedProvider { id, settings: provider }) = &realtime.selected {
            settings.provider_id.clone_from(id);
            settings.min_barge_in_audio_end_ms = millis(provider.min_barge_in_audio_end);
            settings.interrupt_response_on_input_audio = provider.interrupt_response_on_input_audio;
            settings.vad = Vad {
                threshold: provider.vad_threshold,
                silence_duration_ms: millis(provider.silence_duration),
                prefix_padding_ms: millis(provider.prefix_padding),
            };
        }
        settings
    }

    /// The same for `stt-tts`, where speech interrupts only if it was asked for: there is no echo
    /// cancellation behind it that would tell a speaker from the agent's own voice.
    fn batch(&self, settings: ConversationSettings) -> BatchSettings {
        BatchSettings {
            agent_id: settings.agent_id,
            voice_session: settings.voice_session,
            session: settings.supervisor_session,
            first_run: settings.first_run,
            model: settings.agent_model,
            instructions: settings.channel_prompt,
            rights: settings.rights,
            capture_silence_grace: settings.capture_silence_grace,
            barge_in: self.config.discord.voice.realtime.barge_in == Some(true),
            min_barge_in_audio_end_ms: settings.min_barge_in_audio_end_ms,
            prebuffer: settings.prebuffer,
            hear_bots: settings.hear_bots,
            ..BatchSettings::new(settings.guild, settings.channel, settings.bot_user)
        }
    }

    fn wake_names(&self) -> Vec<String> {
        let agent = &self.config.agent;
        let named = || agent.name.clone().unwrap_or_else(|| agent.id.clone());
        let realtime = &self.config.discord.voice.realtime;
        realtime.wake_names.clone().unwrap_or_else(|| vec![named(), "OpenClaw".to_owned()])
    }

    fn channel_prompt(&self, request: &SessionRequest) -> Option<String> {
        let guild = self.config.discord.guild(request.guild.get(), Some(&request.guild_name))?;
        let channel = guild.channel(request.channel.get(), Some(&request.channel_name))?;
        channel.system_prompt.clone()
    }

    fn rights(&self, request: &SessionRequest) -> Rights {
        let policy = Policy::of(self.config, &self.config.discord);
        let place = Place {
            guild: request.guild,
            guild_name: &request.guild_name,
            channel: request.channel,
            channel_name: &request.channel_name,
            parent: None,
        };
        let owners = policy.commands.owners.into_iter().collect();
        Rights::new(owners, policy.access.room(&place).ok())
    }
}

/// The session that voice turns run in, where it is not the voice channel's own.
pub(crate) fn supervisor(config: &Config) -> Option<SessionKey> {
    let agent = &config.agent.id;
    match config.discord.voice.agent_session {
        AgentSession::Voice => None,
        AgentSession::Target(SessionTarget::Channel(id)) => {
            Some(SessionKey::channel(agent, ChannelId::new(id.get())))
        }
        // Direct messages share the agent's main session.
        AgentSession::Target(SessionTarget::User(_)) => Some(SessionKey::main(agent)),
    }
}

/// Reads the files that are there; one that cannot be read is left out, with a warning.
fn read_profile(workspace: &Path, files: &[BootstrapFile]) -> Vec<ProfileFile> {
    let name = |file: &BootstrapFile| match file {
        BootstrapFile::Identity => "IDENTITY.md",
        BootstrapFile::User => "USER.md",
        BootstrapFile::Soul => "SOUL.md",
    };
    files.iter().map(name).filter_map(|name| read_file(&workspace.join(name), name)).collect()
}

fn read_file(path: &Path, name: &str) -> Option<ProfileFile> {
    use std::io::{ErrorKind, Read as _};
    let read = || {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(MAX_PROFILE_BYTES).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    match read() {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Some(ProfileFile { name: name.to_owned(), text })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a profile file is left out");
            None
        }
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn config(discord: &str) -> Config {
        let text = format!("{{ channels: {{ discord: {{ token: 'a.b.c', {discord} }} }} }}");
        let env: BTreeMap<String, String> = BTreeMap::new();
        clawvoice_config::parse(&text, Path::new("/etc/claw.json5"), &env)
            .unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[test]
    fn voice_scenario_48_targets_name_direct_and_channel_sessions() {
        for (target, key) in [
            ("dm:1", "agent:main:main"),
            ("user:1", "agent:main:main"),
            ("channel:2", "agent:main:discord:channel:2"),
            ("2", "agent:main:discord:channel:2"),
        ] {
            let config = config(&format!(
                "voice: {{ agentSession: {{ mode: 'target', target: '{target}' }} }}"
            ));
            let supervisor = supervisor(&config);
            assert_eq!(supervisor.map(|key| key.to_string()).as_deref(), Some(key), "{target}");
        }
        assert_eq!(supervisor(&config("voice: {}")), None);
        let env: BTreeMap<String, String> = BTreeMap::new();
        let empty = "{ channels: { discord: { token: 'a.b.c', voice: { agentSession: { mode: \
                     'target' } } } } }";
        assert!(clawvoice_config::parse(empty, Path::new("/c"), &env).is_err());
    }

    #[test]
    fn profile_files_are_read_as_far_as_they_are_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("SOUL.md"), "calm").unwrap();
        let files = [BootstrapFile::Identity, BootstrapFile::Soul];
        let read = read_profile(folder.path(), &files);
        assert_eq!(read, [ProfileFile { name: "SOUL.md".into(), text: "calm".into() }]);
    }
}
