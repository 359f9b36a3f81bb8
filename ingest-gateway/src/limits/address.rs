//! Which address a request comes from. Pure.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use clap::ValueEnum;
use http::HeaderMap;
use ipnet::IpNet;

/// The header in which proxies tell for whom they speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ForwardedHeader {
    /// X-Forwarded-For: addresses, the last hop's last
    #[default]
    XForwardedFor,
    /// Forwarded (RFC 7239): its `for` parameters
    Forwarded,
}

/// Whose word on addresses is taken.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Addresses of proxies.
    pub proxies: Vec<IpNet>,
    /// Where they tell it.
    pub header: ForwardedHeader,
}

/// An address as limits know it: of IPv6 the first 64 bits, since one host has all of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
        })
    }
}

impl Trust {
    /// Whether an address is a proxy's.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.proxies.iter().any(|proxy| proxy.contains(&address))
    }

    /// Whom a request comes from: of the hops that it names the right-most one that is no proxy of ours. What
    /// stands left of that, anybody may have written. A hop that is no address ends what can be known: the proxy
    /// that named it is held to the limits then.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer;
        if !self.is_proxy(peer) {
            return client;
        }
        let name = match self.header {
            ForwardedHeader::XForwardedFor => "x-forwarded-for",
            ForwardedHeader::Forwarded => "forwarded",
        };
        for value in headers.get_all(name).iter().rev() {
            let Ok(text) = value.to_str() else { return client };
            for hop in text.rsplit(',') {
                let named = match self.header {
                    ForwardedHeader::XForwardedFor => Some(hop),
                    ForwardedHeader::Forwarded => for_parameter(hop),
                };
                let Some(address) = named.and_then(parse) else { return client };
                client = address;
                if !self.is_proxy(client) {
                    return client;
                }
            }
        }
        client
    }
}

fn for_parameter(hop: &str) -> Option<&str> {
    let parameters = hop.split(';').filter_map(|part| part.split_once('='));
    let (_, value) = parameters.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    Some(value.trim().trim_matches('"'))
}

/// An address, with or without brackets and port.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// A range of addresses, or one address.
///
/// # Errors
/// A sentence, where it is neither.
pub fn range(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse()
        .ok()
        .or_else(one)
        .ok_or_else(|| "must be a range such as 10.0.0.0/8 or fd00::/8, or one address".into())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(header: ForwardedHeader, peer: &str, values: &[&str]) -> String {
        let trust = Trust { proxies: vec![range("10.0.0.0/8").unwrap(), range("fd00::1").unwrap()], header };
        let name = if header == ForwardedHeader::Forwarded { "forwarded" } else { "x-forwarded-for" };
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        trust.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_configured_proxy_is_believed() {
        let client = |peer, values: &[&str]| client(ForwardedHeader::XForwardedFor, peer, values);
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client("10.1.1.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.1.1.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("fd00::1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("fd00::2", &["198.51.100.1"]), "fd00::2");
        assert_eq!(client("10.1.1.1", &[]), "10.1.1.1");
    }

    #[test]
    fn the_right_most_hop_that_is_no_proxy_is_the_client() {
        let client = |values: &[&str]| client(ForwardedHeader::XForwardedFor, "10.1.1.1", values);
        assert_eq!(client(&["1.2.3.4, 198.51.100.1, 10.9.9.9"]), "198.51.100.1");
        assert_eq!(client(&["1.2.3.4", "198.51.100.1", "10.9.9.9"]), "198.51.100.1");
        assert_eq!(client(&["10.2.2.2,10.3.3.3"]), "10.2.2.2");
        assert_eq!(client(&["1.2.3.4, unknown, 10.9.9.9"]), "10.9.9.9");
        assert_eq!(client(&["nonsense"]), "10.1.1.1");
        assert_eq!(client(&["[2001:db8::7]:99"]), "2001:db8::7");
    }

    #[test]
    fn one_header_is_read_and_the_other_is_not() {
        let client = |values: &[&str]| client(ForwardedHeader::Forwarded, "10.1.1.1", values);
        assert_eq!(client(&["for=1.2.3.4, For=\"[2001:db8::7]:99\";proto=https, for=10.9.9.9"]), "2001:db8::7");
        assert_eq!(client(&["for=_hidden"]), "10.1.1.1");
        assert_eq!(client(&["proto=https;by=10.0.0.1"]), "10.1.1.1");
        let trust = Trust { proxies: vec![range("10.0.0.0/8").unwrap()], header: ForwardedHeader::Forwarded };
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-forwarded-for"),
            HeaderValue::from_static("1.2.3.4"),
        )]);
        assert_eq!(trust.client([10, 0, 0, 1].into(), &headers).to_string(), "10.0.0.1");
    }

    #[test]
    fn an_ipv6_host_is_known_by_its_64_bits() {
        let address = |text: &str| Address::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
    }
}
