//! All services of one localcord, in this process.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use axum::Router;
use serde::Serialize;
use thiserror::Error;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    authority::{Authority, AuthorityError},
    control::{self, Control, Fresh},
    fault::{FaultSettings, Faults},
    gateway::{Gateway, GatewaySettings},
    journal::Journal,
    listen,
    proxy::{self, Destinations},
    rest::{self, Rest},
    voice::{VoiceServer, VoiceSettings},
    world::{State, World, WorldError, default},
};

/// The name of the certificate's file.
const CA_FILE: &str = "ca.pem";

/// What to serve and where. The default: free ports on 127.0.0.1, the default world, no proxy,
/// the certificate in a temporary folder.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The address to listen on.
    pub bind: IpAddr,
    /// REST, control API and main gateway; 0 takes a free port.
    pub port: u16,
    /// Voice gateway; 0 takes a free port. UDP takes a free one.
    pub voice_port: u16,
    /// The CONNECT proxy; 0 takes a free port, `None`: no proxy.
    pub proxy_port: Option<u16>,
    /// A JSON5 world file.
    pub world: Option<PathBuf>,
    /// The folder `ca.pem` is written to.
    pub ca_dir: Option<PathBuf>,
    /// A pcap file that all RTP is written to from the start; see [`crate::voice::Capture`].
    pub capture: Option<PathBuf>,
    /// What goes wrong from the start on; `POST reset` of the control API goes back to it.
    pub faults: FaultSettings,
    /// How the main gateway behaves.
    pub gateway: GatewaySettings,
    /// How the voice server behaves; its port is [`ServerSettings::voice_port`].
    pub voice: VoiceSettings,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            voice_port: 0,
            proxy_port: None,
            world: None,
            ca_dir: None,
            capture: None,
            faults: FaultSettings::default(),
            gateway: GatewaySettings::default(),
            voice: VoiceSettings::default(),
        }
    }
}

/// Why a server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port is taken, or the address is not of this machine.
    #[error("cannot listen on {address} for {what}: {source}")]
    Bind {
        /// Which service.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The world file cannot be read.
    #[error("cannot read the world file {}: {source}", path.display())]
    ReadWorld {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The world file is not as it must be.
    #[error("{}:{source}", path.display())]
    World {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: WorldError,
    },
    /// The certificate cannot be written.
    #[error("cannot write the certificate to {}: {source}", path.display())]
    CaFile {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The capture's file cannot be written.
    #[error("cannot write the capture to {}: {source}", path.display())]
    Capture {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A fault is out of range.
    #[error("no such faults: {0}")]
    Faults(String),
    /// No certificate could be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Signals cannot be listened to.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
}

impl StartError {
    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                Some("something else uses that port; --port 0 takes a free one")
            }
            Self::Bind { .. } => Some("--bind must be an address of this machine"),
            Self::ReadWorld { .. } => Some("without --world a small default world is served"),
            Self::CaFile { .. } => Some("--ca-dir must be a folder that you may write to"),
            Self::Capture { .. } => Some("--capture needs a folder that is there and writable"),
            Self::World { .. } | Self::Faults(_) | Self::Authority(_) | Self::Signals(_) => None,
        }
    }
}

/// A running localcord. Dropping it stops it, but websockets may last a moment longer; see
/// [`Server::shutdown`].
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    proxy: Option<SocketAddr>,
    ca: CaFile,
    control: Control,
    tasks: Tasks,
}

impl Server {
    /// Starts all services; they answer when this returns.
    ///
    /// # Errors
    /// A port is taken, the world file is wrong, a fault is out of range, the certificate cannot be
    /// written.
    pub async fn start(settings: ServerSettings) -> Result<Self, StartError> {
        let state = match &settings.world {
            Some(path) => read_world(path)?,
            None => default::default_state(),
        };
        Self::start_with(settings, state).await
    }

    /// [`Server::start`] with a world that is no file; `settings.world` is not looked at.
    ///
    /// # Errors
    /// As there.
    pub async fn start_with(settings: ServerSettings, state: State) -> Result<Self, StartError> {
        settings.faults.check().map_err(StartError::Faults)?;
        let (bind, journal, faults) = (settings.bind, Journal::default(), Faults::default());
        faults.set(settings.faults.clone());
        let authority = Authority::generate()?;
        let tls = authority.acceptor_for(&[reachable(bind).to_string()])?;
        let listener = listen_on(bind, settings.port, "the API").await?;
        let address = reachable_at(&listener, bind, settings.port)?;
        let ca = CaFile::write(&authority, settings.ca_dir.as_deref(), address.port())?;

        let voice_settings = VoiceSettings { port: settings.voice_port, ..settings.voice };
        let voice = VoiceServer::start_with(
            voice_settings,
            bind,
            tls.clone(),
            journal.clone(),
            faults.clone(),
        )
        .await
        .map_err(|source| StartError::Bind {
            what: "voice",
            address: SocketAddr::new(bind, settings.voice_port),
            source,
        })?;

        if let Some(path) = &settings.capture {
            let failed = |source| StartError::Capture { path: path.clone(), source };
            voice.capture().start(path).map_err(failed)?;
        }

        let world = World::new(state.clone(), journal.clone());
        world.attach_voice(voice.clone());
        let authority = address.to_string();
        let gateway = Gateway::start(world.clone(), journal.clone(), settings.gateway, authority);
        let base_url = format!("http://{address}");
        let rest = Rest::new(world, journal, faults, settings.gateway, base_url);
        let fresh = Fresh { world: state, faults: settings.faults };
        let control = Control::new(rest.clone(), voice.clone(), gateway.clone(), fresh);
        let router = Router::new()
            .merge(rest::router(&rest))
            .merge(control::router(&control))
            .merge(gateway.router())
            .fallback(rest::not_found);
        let mut tasks = Tasks(vec![
            tokio::spawn(listen::serve(listener, tls, router)),
            tokio::spawn(control::server_move::follow_faults(control.clone())),
        ]);

        let proxy = match settings.proxy_port {
            Some(port) => {
                let listener = listen_on(bind, port, "the proxy").await?;
                let proxy = reachable_at(&listener, bind, port)?;
                let endpoint = voice.endpoint();
                let destinations = Destinations {
                    api: address,
                    voice: endpoint.parse().unwrap_or(address),
                    voice_endpoint: endpoint,
                };
                tasks.0.push(tokio::spawn(proxy::serve(listener, destinations)));
                Some(proxy)
            }
            None => None,
        };
        Ok(Self { address, proxy, ca, control, tasks })
    }

    /// `http://127.0.0.1:PORT/api/v10`, the base URL of REST.
    #[must_use]
    pub fn api_base_url(&self) -> String {
        format!("http://{}/api/v10", self.address)
    }

    /// The same over TLS.
    #[must_use]
    pub fn api_base_url_tls(&self) -> String {
        format!("https://{}/api/v10", self.address)
    }

    /// `http://127.0.0.1:PORT/localcord/v1`, the base URL of the control API.
    #[must_use]
    pub fn control_url(&self) -> String {
        format!("http://{}/localcord/v1", self.address)
    }

    /// `ws://127.0.0.1:PORT`, the main gateway.
    #[must_use]
    pub fn gateway_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// The same over TLS.
    #[must_use]
    pub fn gateway_url_tls(&self) -> String {
        format!("wss://{}", self.address)
    }

    /// `http://127.0.0.1:PORT`, the CONNECT proxy.
    #[must_use]
    pub fn proxy_url(&self) -> Option<String> {
        self.proxy.map(|proxy| format!("http://{proxy}"))
    }

    /// Where REST, control API and main gateway listen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file of the certificate to trust.
    #[must_use]
    pub fn ca_path(&self) -> &Path {
        &self.ca.path
    }

    /// The certificate to trust, as PEM text.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca.pem
    }

    /// The token of the world's first bot; empty if there is none.
    #[must_use]
    pub fn bot_token(&self) -> String {
        self.world().read(|state| {
            state.applications.values().next().map(|bot| bot.token.clone()).unwrap_or_default()
        })
    }

    /// The world.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.control.rest.world
    }

    /// The voice server.
    #[must_use]
    pub fn voice(&self) -> &VoiceServer {
        &self.control.voice
    }

    /// The main gateway.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.control.gateway
    }

    /// Everything that happened.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.control.rest.journal
    }

    /// What goes wrong on purpose.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.control.rest.faults
    }

    /// Every address, token and id a client needs.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.world().read(|state| {
            let bot = state.applications.values().next();
            let guild = state.default_guild();
            let channels = guild.into_iter().flat_map(|guild| state.channels_in(guild.id));
            let mut channels: Vec<_> = channels.collect();
            channels.sort_by_key(|channel| (channel.position, channel.id));
            Summary {
                api_url: self.api_base_url(),
                api_url_tls: self.api_base_url_tls(),
                control_url: self.control_url(),
                gateway_url: self.gateway_url(),
                gateway_url_tls: self.gateway_url_tls(),
                voice_endpoint: self.voice().endpoint(),
                proxy_url: self.proxy_url(),
                ca_file: self.ca.path.clone(),
                bot_token: bot.map(|bot| bot.token.clone()),
                application_id: bot.map(|bot| bot.id.to_string()),
                bot_user_id: bot.map(|bot| bot.user_id.to_string()),
                guild_id: guild.map(|guild| guild.id.to_string()),
                channels: channels
                    .into_iter()
                    .map(|channel| Named {
                        id: channel.id.to_string(),
                        name: channel.name.clone(),
                        kind: Some(channel.kind),
                    })
                    .collect(),
                humans: state
                    .humans
                    .iter()
                    .filter_map(|id| state.users.get(id))
                    .map(|user| Named {
                        id: user.id.to_string(),
                        name: user.username.clone(),
                        kind: None,
                    })
                    .collect(),
            }
        })
    }

    /// Stops listening, lets humans leave, and tells gateway clients to go (op 7).
    pub async fn shutdown(mut self) {
        self.control.dismiss_humans();
        self.control.gateway.reconnect_all();
        for task in self.tasks.0.drain(..) {
            task.abort();
            // It was aborted: there is nothing to learn from its end.
            let _ = task.await;
        }
        let capture = self.voice().capture().clone();
        // Waits for the disk; only a panic of the closure could go wrong.
        let _ = tokio::task::spawn_blocking(move || capture.stop()).await;
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

/// Tasks that end when this is dropped.
#[derive(Debug)]
struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// The certificate's file; a folder made for it goes with it.
#[derive(Debug)]
struct CaFile {
    path: PathBuf,
    pem: String,
    own_folder: Option<PathBuf>,
}

impl CaFile {
    fn write(authority: &Authority, folder: Option<&Path>, port: u16) -> Result<Self, StartError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::CaFile { path, source }
        };
        let own_folder = match folder {
            Some(folder) => {
                std::fs::create_dir_all(folder).map_err(failed(folder))?;
                None
            }
            None => {
                // Never a folder that is there already: somebody else could have made it.
                let name = format!("localcord-{port}-{:08x}", rand::random::<u32>());
                let folder = std::env::temp_dir().join(name);
                std::fs::create_dir(&folder).map_err(failed(&folder))?;
                Some(folder)
            }
        };
        let folder = own_folder.as_deref().or(folder).unwrap_or(Path::new("."));
        let path = folder.join(CA_FILE);
        authority.write_pem(&path).map_err(failed(&path))?;
        // Clients that run elsewhere need a path that does not depend on where they run.
        let path = std::path::absolute(&path).unwrap_or(path);
        Ok(Self { path, pem: authority.pem().to_owned(), own_folder })
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        if let Some(folder) = &self.own_folder
            && let Err(error) = std::fs::remove_dir_all(folder)
        {
            tracing::debug!(%error, "the temporary folder stays");
        }
    }
}

fn read_world(path: &Path) -> Result<State, StartError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| StartError::ReadWorld { path: path.to_owned(), source })?;
    State::from_json5(&text).map_err(|source| StartError::World { path: path.to_owned(), source })
}

async fn listen_on(bind: IpAddr, port: u16, what: &'static str) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(bind, port);
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| StartError::Bind { what, address, source })
}

fn reachable_at(listener: &TcpListener, bind: IpAddr, port: u16) -> Result<SocketAddr, StartError> {
    let local = listener.local_addr().map_err(|source| StartError::Bind {
        what: "the API",
        address: SocketAddr::new(bind, port),
        source,
    })?;
    Ok(SocketAddr::new(reachable(bind), local.port()))
}

/// An address that clients on this machine can dial.
fn reachable(bind: IpAddr) -> IpAddr {
    match bind {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        bind => bind,
    }
}

/// Every address, token and id a client needs; what `localcord serve --json` prints.
#[derive(Clone, Serialize)]
pub struct Summary {
    /// Base URL of REST.
    pub api_url: String,
    /// The same over TLS.
    pub api_url_tls: String,
    /// Base URL of the control API.
    pub control_url: String,
    /// The main gateway.
    pub gateway_url: String,
    /// The same over TLS.
    pub gateway_url_tls: String,
    /// `host:port` of the voice gateway.
    pub voice_endpoint: String,
    /// The CONNECT proxy.
    pub proxy_url: Option<String>,
    /// The certificate to trust.
    pub ca_file: PathBuf,
    /// The token of the first bot.
    pub bot_token: Option<String>,
    /// Its application.
    pub application_id: Option<String>,
    /// Its user.
    pub bot_user_id: Option<String>,
    /// The first guild.
    pub guild_id: Option<String>,
    /// The guild's channels, in their order.
    pub channels: Vec<Named>,
    /// The users that localcord plays.
    pub humans: Vec<Named>,
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary").field("api_url", &self.api_url).finish_non_exhaustive()
    }
}

/// Something with an id and a name.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// Its snowflake.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The type of a channel.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<u8>,
}

impl Summary {
    /// One line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = || "(none)".to_owned();
        writeln!(f, "localcord serves a Discord on this machine.")?;
        writeln!(f)?;
        writeln!(f, "  REST         {}  (or https)", self.api_url)?;
        writeln!(f, "  gateway      {}  (or wss)", self.gateway_url)?;
        writeln!(f, "  voice        {}", self.voice_endpoint)?;
        writeln!(f, "  control      {}", self.control_url)?;
        if let Some(proxy) = &self.proxy_url {
            writeln!(f, "  proxy        {proxy}  (CONNECT, for discord.com)")?;
        }
        writeln!(f, "  certificate  {}", self.ca_file.display())?;
        writeln!(f, "  bot token    {}", self.bot_token.clone().unwrap_or_else(none))?;
        writeln!(f, "  application  {}", self.application_id.clone().unwrap_or_else(none))?;
        writeln!(f, "  guild        {}", self.guild_id.clone().unwrap_or_else(none))?;
        for channel in &self.channels {
            writeln!(f, "  channel      {}  {}", channel.id, channel.name)?;
        }
        for human in &self.humans {
            writeln!(f, "  human        {}  {}", human.id, human.name)?;
        }
        writeln!(f)?;
        writeln!(f, "Ctrl-C stops it.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_a_hint() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let settings = ServerSettings { port: address.port(), ..ServerSettings::default() };
        let error = Server::start(settings).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot listen on {address} for the API")));
        assert!(error.hint().is_some_and(|hint| hint.contains("--port 0")));
    }

    #[tokio::test]
    async fn a_wrong_world_file_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("world.json5");
        let settings = ServerSettings { world: Some(path.clone()), ..ServerSettings::default() };
        let error = Server::start(settings.clone()).await.unwrap_err();
        assert!(error.to_string().contains("world.json5"), "{error}");
        std::fs::write(&path, "{\n  guildz: [],\n}").unwrap();
        let error = Server::start(settings).await.unwrap_err();
        assert!(error.to_string().contains("world.json5:2:3:"), "{error}");
    }

    #[tokio::test]
    async fn the_certificate_is_there_while_the_server_runs() {
        let server = Server::start(ServerSettings::default()).await.unwrap();
        let path = server.ca_path().to_owned();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), server.ca_pem());
        let summary: serde_json::Value = serde_json::from_str(&server.summary().to_json()).unwrap();
        assert_eq!(summary["api_url"], server.api_base_url());
        assert_eq!(summary["humans"].as_array().map(Vec::len), Some(3));
        assert_eq!(summary["channels"][0]["name"], "general");
        server.shutdown().await;
        assert!(!path.exists());
    }
}
