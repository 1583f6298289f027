//! Where to listen, and for whom.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mcp_transport::http::proto::{HostList, Origin, OriginList};
use mcp_transport::http::{Cors, RouterOptions};

#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// The address to listen on; port 0 takes a free one
    #[arg(long = "listen", value_name = "IP:PORT", default_value = "127.0.0.1:8808", value_parser = address)]
    pub(super) address: SocketAddr,
    /// What stands before every path, such as `/mcp`
    #[arg(long, value_name = "PATH", default_value = "")]
    path_prefix: String,
    /// Answer to this host, with a port if only that one is meant; the names of this machine for itself and the address
    /// that is listened on are answered to anyway
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Let web pages of this origin in, such as `https://app.example.com`; those of the hosts are let in anyway
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Let web pages of this origin in, and let them read the answers (CORS)
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<String>,
    /// Listen on an address that other machines can reach although anybody there can then use COMMAND
    #[arg(long)]
    pub(super) allow_unauthenticated: bool,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let local = |port: &str| Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse().ok()?));
    let parsed = text.parse().ok().or_else(|| text.strip_prefix("localhost:").and_then(local));
    parsed.ok_or_else(|| "not of the form IP:PORT".into())
}

impl Args {
    /// Whether this may be listened on, where clients have to say who they are or not, by these names of a certificate.
    pub(super) fn check(&self, authenticates: bool, certified: &[String]) -> Result<(), String> {
        let address = self.address;
        let ip = address.ip().to_canonical();
        if !ip.is_loopback() && !authenticates && !self.allow_unauthenticated {
            return Err(format!(
                "--listen {address} can be reached by other machines, and nobody is asked who they are: \
                 listen on 127.0.0.1, have them say it (--bearer-file, --jwt-issuer, --tls-client-ca), \
                 or say --allow-unauthenticated"
            ));
        }
        if ip.is_unspecified() && self.allow_host.is_empty() && certified.is_empty() {
            return Err(format!(
                "--listen {address} needs --allow-host HOST for each name that clients have for this machine, \
                 or a certificate (--tls-cert) that names them: requests to any other are refused"
            ));
        }
        Ok(())
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }

    /// With a slash before and none behind, or nothing.
    pub(super) fn prefix(&self) -> Result<String, String> {
        let path = self.path_prefix.trim_matches('/');
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if !path.bytes().all(is_plain) || path.split('/').any(|part| matches!(part, "." | "..")) {
            return Err("--path-prefix may have letters, digits, `-`, `.`, `_`, `~` and `/`".into());
        }
        if path.contains("//") {
            return Err("--path-prefix has an empty part".into());
        }
        Ok(if path.is_empty() { String::new() } else { format!("/{path}") })
    }

    /// How clients reach what is bound to `address`, as far as we know.
    pub(super) fn names(&self, address: SocketAddr, certified: &[String]) -> Vec<String> {
        if !address.ip().is_unspecified() {
            return vec![address.to_string()];
        }
        let has_port = |host: &str| host.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok());
        let name = |host: &String| match has_port(host) {
            true => host.clone(),
            false => format!("{host}:{}", address.port()),
        };
        self.allow_host.iter().chain(certified).map(name).collect()
    }

    /// The hosts that are answered to, and the origins that are let in. The names of a certificate are ours: nobody
    /// else has the key to them.
    pub(super) fn router(&self, port: u16, certified: &[String]) -> Result<RouterOptions, String> {
        let ip = self.address.ip();
        let reaches_loopback = ip.to_canonical().is_loopback() || ip.is_unspecified();
        let mut hosts = if reaches_loopback { HostList::loopback() } else { HostList::none() };
        if !ip.is_unspecified() {
            // An address cannot be made to point elsewhere, as a name can.
            let own = SocketAddr::new(ip, port).to_string();
            hosts = hosts.allow(&own).map_err(|problem| format!("--listen {own}: {problem}"))?;
        }
        for name in certified {
            // One that no `Host` can say is met by none.
            hosts = hosts.clone().allow(name).unwrap_or(hosts);
        }
        for entry in &self.allow_host {
            hosts = hosts.allow(entry).map_err(|problem| format!("--allow-host {entry}: {problem}"))?;
        }
        let hosts = hosts.with_port(port);
        let mut origins = OriginList::new(hosts.clone());
        for origin in named("--allow-origin", &self.allow_origin)? {
            origins = origins.allow(origin);
        }
        let options = RouterOptions::default().hosts(hosts).origins(origins);
        let readers = named("--cors-origin", &self.cors_origin)?;
        Ok(if readers.is_empty() { options } else { options.cors(Cors::new(readers)) })
    }
}

fn named(flag: &str, entries: &[String]) -> Result<Vec<Origin>, String> {
    let origin = |entry: &String| {
        Origin::parse(entry.as_bytes()).map_err(|problem| format!("{flag} {entry}: {problem}"))
    };
    entries.iter().map(origin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(listen: &str, hosts: &[&str], unauthenticated: bool) -> Args {
        Args {
            address: address(listen).unwrap(),
            path_prefix: String::new(),
            allow_host: hosts.iter().map(|&host| host.into()).collect(),
            allow_origin: Vec::new(),
            cors_origin: Vec::new(),
            allow_unauthenticated: unauthenticated,
        }
    }

    #[test]
    fn addresses() {
        assert_eq!(address("localhost:80"), address("127.0.0.1:80"));
        assert!(address("[::1]:0").is_ok());
        for text in ["", "8808", "127.0.0.1", "localhost", "example.com:80", "127.0.0.1:65536"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_others_can_reach_is_a_decision() {
        let named = ["mcp.example".to_owned()];
        let table = [
            ("127.0.0.1:1", &[][..], false, false, &[][..], true),
            ("127.1.2.3:1", &[], false, false, &[], true),
            ("[::1]:1", &[], false, false, &[], true),
            ("[::ffff:127.0.0.1]:1", &[], false, false, &[], true),
            ("0.0.0.0:1", &[], false, false, &[], false),
            ("0.0.0.0:1", &["a"], false, false, &[], false),
            ("0.0.0.0:1", &[], true, false, &[], false),
            ("0.0.0.0:1", &[], false, true, &[], false),
            ("0.0.0.0:1", &[], false, true, &named, true),
            ("0.0.0.0:1", &[], false, false, &named, false),
            ("0.0.0.0:1", &["a"], true, false, &[], true),
            ("0.0.0.0:1", &["a"], false, true, &[], true),
            ("[::]:1", &["a"], false, false, &[], false),
            ("192.0.2.1:1", &["a"], false, false, &[], false),
            ("192.0.2.1:1", &[], true, false, &[], true),
            ("192.0.2.1:1", &[], false, true, &[], true),
        ];
        for (listen, hosts, open, authenticates, certified, allowed) in table {
            let checked = args(listen, hosts, open).check(authenticates, certified);
            assert_eq!(checked.is_ok(), allowed, "{listen} {hosts:?} {open} {authenticates}: {checked:?}");
        }
    }

    #[test]
    fn prefixes() {
        for (given, made) in [
            ("", Some("")),
            ("/", Some("")),
            ("a", Some("/a")),
            ("/a/b/", Some("/a/b")),
            ("a?b", None),
            ("..", None),
        ] {
            let args = Args { path_prefix: given.into(), ..args("127.0.0.1:1", &[], false) };
            assert_eq!(args.prefix().ok().as_deref(), made, "{given}");
        }
    }

    #[test]
    fn entries_are_checked() {
        let made = |hosts: &[&str], origins: &[&str]| {
            let origins = || origins.iter().map(|&origin| origin.into()).collect();
            let allow = Args { allow_origin: origins(), ..args("127.0.0.1:1", hosts, false) }.router(1, &[]);
            let cors = Args { cors_origin: origins(), ..args("127.0.0.1:1", hosts, false) }.router(1, &[]);
            assert_eq!(allow.is_ok(), cors.is_ok());
            allow
        };
        assert!(made(&["a.example", "b.example:99"], &["https://a.example"]).is_ok());
        assert!(made(&["http://a.example"], &[]).is_err());
        assert!(made(&["0.0.0.0"], &[]).is_err());
        assert!(made(&[], &["*"]).is_err() && made(&[], &["a.example"]).is_err());
    }
}
