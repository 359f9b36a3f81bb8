//! Counts the open connections of each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::address::{Address, Trust};

/// Open connections by address, each address with so many at most. There are never more addresses than
/// connections.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    trust: Trust,
    open: Mutex<HashMap<Address, usize>>,
}

/// A connection, until it is dropped.
#[derive(Debug)]
pub struct Connected {
    connections: Arc<Connections>,
    /// None where nobody counts.
    address: Option<Address>,
}

impl Connections {
    /// None are open. A proxy may have as many as it likes: whom they are for is not known yet.
    pub fn new(most: usize, trust: Trust) -> Arc<Self> {
        Arc::new(Self { most, trust, open: Mutex::default() })
    }

    /// Counts a connection; none where its address has as many as it may.
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Connected> {
        let connected = |address| Some(Connected { connections: Arc::clone(self), address });
        if self.trust.is_proxy(peer) {
            return connected(None);
        }
        let address = Address::from(peer);
        let mut open = self.open.lock();
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        connected(Some(address))
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut open = self.connections.open.lock();
        if let Some(count) = open.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::range;
    use super::*;

    #[test]
    fn an_address_has_so_many_connections_and_no_more() {
        let trust = Trust { proxies: vec![range("10.0.0.1").unwrap()], ..Trust::default() };
        let connections = Connections::new(2, trust);
        let enter = |text: &str| connections.enter(text.parse().unwrap());
        let (first, second) = (enter("2001:db8::1").unwrap(), enter("2001:db8::2").unwrap());
        assert!(enter("2001:db8::3").is_none());
        let other = enter("2001:db8:0:1::1").unwrap();
        let proxied: Vec<_> = (0..9).map(|_| enter("10.0.0.1").unwrap()).collect();
        drop(first);
        let third = enter("2001:db8::3").unwrap();
        drop((second, third, other, proxied));
        assert!(connections.open.lock().is_empty());
    }
}
