//! By which names the pages may be asked for.
//!
//! A foreign page can make a name of its own point at this machine (DNS rebinding); its scripts then
//! read the pages as if they were their own. Nothing but the name that the browser asks for tells such
//! a request from others, so only names that nobody else can own are answered: addresses,
//! `localhost`, and what the operator names.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::Request;
use http::header;
use http::uri::Authority;

use crate::config::Config;
use crate::error::Failure;
use crate::view::format::shortened;

/// The longest name that is told back.
const TOLD: usize = 120;

/// The names that are answered. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    names: Arc<[String]>,
}

impl Hosts {
    /// Those of the settings: further ones, and the one that is listened on.
    pub(crate) fn of(config: &Config) -> Self {
        let listened = config.listen.rsplit_once(':').map_or(&*config.listen, |(host, _)| host);
        let named = config.host.iter().map(String::as_str).chain([listened, "localhost"]);
        Self { names: named.map(plain).collect() }
    }

    /// Lets a request through that asks for a name of ours.
    ///
    /// # Errors
    /// [`Failure::Misdirected`].
    pub(crate) fn admit(&self, request: &Request) -> Result<(), Failure> {
        // HTTP/2 puts it into the address. A request of neither is no browser's.
        let asked = request.uri().authority().map(Authority::as_str).into_iter().map(str::as_bytes);
        let told = request.headers().get_all(header::HOST).into_iter().map(header::HeaderValue::as_bytes);
        for name in asked.chain(told) {
            if !self.answers_to(name) {
                let name = String::from_utf8_lossy(name);
                return Err(Failure::Misdirected(shortened(&name, TOLD)));
            }
        }
        Ok(())
    }

    fn answers_to(&self, authority: &[u8]) -> bool {
        let Ok(authority) = Authority::try_from(authority) else { return false };
        let host = plain(authority.host());
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        !authority.as_str().contains('@') && (address || self.names.contains(&host))
    }
}

/// A name as it is compared: a dot at its end and capitals change nothing.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Judges a name that an operator gives.
///
/// # Errors
/// A sentence that names the flag.
pub(crate) fn check(name: &str) -> Result<(), String> {
    let letters = name.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'-' | b'_'));
    if letters && !plain(name).is_empty() {
        return Ok(());
    }
    Err(format!("--host {name:?}: a bare name is wanted, such as play.example.org, without scheme and port"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn hosts(listen: &str, host: &[&str]) -> Hosts {
        Hosts::of(&Config {
            listen: listen.into(),
            host: host.iter().map(ToString::to_string).collect(),
            database_url: String::new(),
            schema: "play".into(),
            games: None,
            idle: Duration::from_mins(1),
            connections: 1,
        })
    }

    #[test]
    fn addresses_localhost_and_what_was_named_are_answered() {
        let hosts = hosts("Play.lan:8090", &["stats.example.org"]);
        for name in [
            "127.0.0.1:8090",
            "192.168.1.7",
            "[::1]:8090",
            "[fe80::1]",
            "localhost",
            "LOCALHOST.:8090",
            "play.lan:1",
            "stats.example.org",
            "Stats.Example.Org.:443",
        ] {
            assert!(hosts.answers_to(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn any_other_name_is_not() {
        let hosts = hosts("127.0.0.1:8090", &["stats.example.org"]);
        for name in [
            "evil.example",
            "localhost.evil.example",
            "evil.localhost",
            "127.0.0.1.evil.example:8090",
            "a.stats.example.org",
            "evil.example@127.0.0.1",
            "127.0.0.1@evil.example",
            "::1",
            "",
            ":8090",
            "evil example",
        ] {
            assert!(!hosts.answers_to(name.as_bytes()), "{name}");
        }
        assert!(!hosts.answers_to(b"\xff"));
    }

    #[test]
    fn a_host_with_scheme_or_port_is_refused_in_words() {
        for name in ["http://play.example.org", "play.example.org:443", "*.example.org", "", ".", "a b"] {
            assert!(check(name).unwrap_err().starts_with("--host"), "{name}");
        }
        assert!(check("play.example.org").is_ok() && check("Dashboard_1").is_ok());
    }
}
