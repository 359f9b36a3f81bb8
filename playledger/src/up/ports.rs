//! Whether the addresses that `up` was given can be listened on: told by the flag's own name,
//! before anything is started.

use std::io::ErrorKind;
use std::net::{TcpListener, ToSocketAddrs as _};

use super::Arguments;

/// Judges what each address looks like.
///
/// # Errors
/// A sentence that names the flag whose value is no address.
pub(super) fn judge(arguments: &Arguments) -> Result<(), String> {
    for (flag, address) in flags(arguments) {
        // Whether a name is known is for the attempt to show: it depends on the machine.
        if address.to_socket_addrs().is_err_and(|error| error.kind() == ErrorKind::InvalidInput) {
            return Err(format!("{flag} {address}: is no HOST:PORT, such as 127.0.0.1:0"));
        }
    }
    Ok(())
}

/// Tries each address.
///
/// # Errors
/// A sentence that names the flag.
pub(super) fn check(arguments: &Arguments) -> Result<(), String> {
    // Held together, so that two flags with one port are seen.
    let mut held = Vec::new();
    for (flag, address) in flags(arguments) {
        let listener = TcpListener::bind(address).map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => format!(
                "{flag} {address}: the port is in use: stop what listens there, or take a free one with {flag} {}:0",
                host(address)
            ),
            ErrorKind::PermissionDenied => {
                format!(
                    "{flag} {address}: not permitted: take a port above 1023, or a free one with {flag} {}:0",
                    host(address)
                )
            }
            _ => format!(
                "{flag} {address}: can't listen there ({error}): give an address of this machine such as 127.0.0.1:0"
            ),
        })?;
        held.push(listener);
    }
    Ok(())
}

fn flags(arguments: &Arguments) -> [(&'static str, &str); 3] {
    [("--listen", &*arguments.listen), ("--dashboard", &*arguments.dashboard), ("--ops", &*arguments.ops)]
}

fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or("127.0.0.1", |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    fn arguments(line: &[&str]) -> Arguments {
        let command = Arguments::augment_args(clap::Command::new("up"));
        Arguments::from_arg_matches(&command.get_matches_from(line)).unwrap()
    }

    fn checked(line: &[&str]) -> Result<(), String> {
        check(&arguments(line))
    }

    #[test]
    fn a_port_in_use_is_told_with_its_flag_and_the_way_out() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let said = checked(&["up", "--listen", "127.0.0.1:0", "--dashboard", &address]).unwrap_err();
        assert!(said.starts_with("--dashboard") && said.contains("--dashboard 127.0.0.1:0"), "{said}");
        drop(taken);
        let said = checked(&["up", "--listen", &address, "--dashboard", &address]).unwrap_err();
        assert!(said.starts_with("--dashboard"), "{said}");
    }

    #[test]
    fn free_ports_are_fine_and_nonsense_is_not() {
        checked(&["up", "--listen", "127.0.0.1:0", "--dashboard", "127.0.0.1:0"]).unwrap();
        for nonsense in ["nowhere", "127.0.0.1", "127.0.0.1:port", "127.0.0.1:70000", ""] {
            let said = judge(&arguments(&["up", "--listen", nonsense])).unwrap_err();
            assert!(said.starts_with(&format!("--listen {nonsense}")), "{said}");
        }
        judge(&arguments(&["up", "--listen", "[::1]:0", "--dashboard", "localhost:8090"])).unwrap();
    }
}
