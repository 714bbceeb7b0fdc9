//! What is to be known of sessions and threads after a restart.

use jiff::Timestamp;

use super::{
    super::{StoreError, conversations, inherit},
    Mailbox, bindings,
};
use crate::{ChannelId, SessionKey, history::SessionFacts, mail::Target};

impl Mailbox {
    /// Keeps what a thread, or a user in private, is bound to: JSON, in the place of what was kept.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn save_binding(
        &self,
        account: &str,
        thread: Target,
        record: String,
    ) -> Result<(), StoreError> {
        let (account, now) = (account.to_owned(), Timestamp::now());
        self.write(move |c| {
            Box::pin(async move { bindings::save(c, &account, thread, &record, now).await })
        })
        .await
    }

    /// It is bound no longer.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn delete_binding(&self, account: &str, thread: Target) -> Result<(), StoreError> {
        let (account, now) = (account.to_owned(), Timestamp::now());
        self.write(move |c| {
            Box::pin(async move { bindings::delete(c, &account, thread, now).await })
        })
        .await
    }

    /// What is bound, and the JSON of each.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn bindings(&self, account: &str) -> Result<Vec<(Target, String)>, StoreError> {
        let account = account.to_owned();
        self.read(move |c| Box::pin(async move { bindings::all(c, &account).await })).await
    }

    /// A session begins with what was said in another one, unless something was said in it already. A
    /// store on the same file takes notice.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn inherit(&self, child: &SessionKey, parent: &SessionKey) -> Result<(), StoreError> {
        let (child, parent, now) = (child.clone(), parent.clone(), Timestamp::now());
        self.write(move |c| {
            Box::pin(async move { inherit::inherit(c, &child, &parent, now).await })
        })
        .await
    }

    /// Somebody chose a model for the session (`provider/model`), or none.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn set_model(
        &self,
        key: &SessionKey,
        model: Option<String>,
    ) -> Result<(), StoreError> {
        let (key, now) = (key.clone(), Timestamp::now());
        self.write(move |c| {
            Box::pin(async move { conversations::set_model(c, &key, model.as_deref(), now).await })
        })
        .await
    }

    /// The session was spoken to there: replies go there, through that account. It counts as in
    /// use.
    ///
    /// # Errors
    ///
    /// When it is not on disk.
    pub async fn note_route(
        &self,
        key: &SessionKey,
        account: &str,
        channel: ChannelId,
    ) -> Result<(), StoreError> {
        let (key, account, now) = (key.clone(), account.to_owned(), Timestamp::now());
        self.write(move |c| {
            Box::pin(
                async move { conversations::note_route(c, &key, &account, channel, now).await },
            )
        })
        .await
    }

    /// What is kept of the session.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn facts(&self, key: &SessionKey) -> Result<SessionFacts, StoreError> {
        let key = key.clone();
        self.read(move |c| Box::pin(async move { conversations::facts(c, &key).await })).await
    }
}
