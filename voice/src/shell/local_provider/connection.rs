//! One connection: bytes and time in and out of its [`LocalSession`].

use std::{sync::Arc, time::Duration};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::JoinSet,
    time::{sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{
            CloseFrame,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};
use tracing::warn;

use super::{CLOSE_TIMEOUT, Shared, voice};
use crate::realtime::local::{LocalSession, Note, Output};

pub(super) struct Connection<S> {
    socket: WebSocketStream<S>,
    session: LocalSession,
    shared: Arc<Shared>,
    number: u64,
    /// Texts that are being spoken.
    voices: JoinSet<(u64, Option<Vec<i16>>)>,
}

/// How a session wants its connection ended.
enum End {
    Close(u16),
    Drop,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(
        socket: WebSocketStream<S>,
        session: LocalSession,
        shared: Arc<Shared>,
        number: u64,
    ) -> Self {
        Self { socket, session, shared, number, voices: JoinSet::new() }
    }

    /// Runs it to its end, the recording's lines about it included.
    pub(super) async fn run(&mut self, stopped: watch::Receiver<bool>) -> Result<(), Error> {
        let ended = self.talk(stopped).await;
        self.session.finish(self.shared.now());
        while let Some(output) = self.session.poll_output() {
            if let Output::Note(note) = output {
                self.note(note);
            }
        }
        ended
    }

    async fn talk(&mut self, mut stopped: watch::Receiver<bool>) -> Result<(), Error> {
        loop {
            match self.drain().await? {
                Some(End::Close(code)) => return self.close(code).await,
                Some(End::Drop) => return Ok(()),
                None => {}
            }
            let wake = self
                .session
                .poll_timeout()
                .map(|(at, _)| self.shared.began + Duration::from_micros(at.as_micros()));
            tokio::select! {
                _ = stopped.changed() => return self.close(1_001).await,
                Some(spoken) = self.voices.join_next() => {
                    if let Ok((ticket, samples)) = spoken {
                        self.session.handle_said(self.shared.now(), ticket, samples.as_deref());
                    }
                }
                message = self.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        self.session.handle_text(self.shared.now(), &text);
                    }
                    Some(Ok(Message::Binary(_))) => self.session.handle_binary(self.shared.now()),
                    // Pings are answered, and closes completed, by the socket itself.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                },
                () = sleep_until(wake.unwrap_or(self.shared.began)), if wake.is_some() => {
                    self.session.handle_timeout(self.shared.now());
                }
            }
        }
    }

    /// Sends what the session has; says if it wants to end.
    async fn drain(&mut self) -> Result<Option<End>, Error> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Text(text) => self.socket.feed(Message::text(text)).await?,
                Output::Fragments(first, second) => {
                    let frame = |bytes, data, last| {
                        Message::Frame(Frame::message(bytes, OpCode::Data(data), last))
                    };
                    self.socket.feed(frame(first, Data::Text, false)).await?;
                    self.socket.feed(frame(second, Data::Continue, true)).await?;
                }
                Output::Close { code } => {
                    self.socket.flush().await?;
                    return Ok(Some(End::Close(code)));
                }
                Output::Drop => {
                    self.socket.flush().await?;
                    return Ok(Some(End::Drop));
                }
                Output::Say { ticket, text } => {
                    self.voices.spawn(async move { (ticket, voice::speak(&text).await) });
                }
                Output::Note(note) => self.note(note),
            }
        }
        self.socket.flush().await?;
        Ok(None)
    }

    fn note(&self, note: Note) {
        if let Note::Event { name: name @ ("script.unmet" | "script.unfinished"), fields, .. } =
            &note
        {
            let number = self.number;
            warn!(number, place = %fields["place"], problem = ?fields.get("problem"), "{name}");
        }
        if let Some(recorder) = &self.shared.recorder {
            recorder.note(self.number, note);
        }
    }

    async fn close(&mut self, code: u16) -> Result<(), Error> {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        self.socket.close(Some(frame)).await?;
        let rest = async { while let Some(Ok(_)) = self.socket.next().await {} };
        let _ = timeout(CLOSE_TIMEOUT, rest).await;
        Ok(())
    }
}
