//! Names are looked up as usual, but lead to nowhere within one's own network.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::media::address::is_public;

/// A name that leads to no public address.
#[derive(Debug, thiserror::Error)]
#[error("{0} leads to no public address")]
struct NotPublic(String);

/// Looks names up.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicDns;

impl Resolve for PublicDns {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await?
                .filter(|address| is_public(address.ip()))
                .collect();
            if found.is_empty() {
                return Err(NotPublic(name.as_str().to_owned()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario 57 of the text scenarios: a name of Discord's that leads into the own network.
    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_leads_nowhere() {
        let refused = PublicDns.resolve("localhost".parse().unwrap()).await;
        let words = refused.err().unwrap().to_string();
        assert_eq!(words, "localhost leads to no public address");
    }
}
