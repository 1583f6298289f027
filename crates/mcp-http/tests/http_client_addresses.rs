//! Which addresses are connected to, for a client that somebody else tells where to go.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests panic")]

mod judged;

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use http::{Request, Uri};
use judged::{Judged, answer, ok};
use mcp_http::proto::Proxies;
use mcp_http::proto::address::is_globally_reachable;
use mcp_http::{HttpClient, HttpClientOptions};
use mcp_transport_core::ErrorKind;

#[test]
fn addresses_of_the_public_internet() {
    let public = [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "93.184.215.14",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.3.0",
        "192.31.196.1",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "2001:200::",
        "2001:4860:4860::8888",
        "2001:db7:ffff::",
        "2001:db9::",
        "2003::1",
        "2606:4700:4700::1111",
        "2620:4f:8000::1",
        "2a00:1450:4001:81b::200e",
        "3ffe:ffff::",
        "3fff:1000::",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ];
    let not = [
        // Nobody, and this machine.
        "0.0.0.0",
        "0.1.2.3",
        "0.255.255.255",
        "127.0.0.0",
        "127.0.0.1",
        "127.255.255.255",
        "::",
        "::1",
        // This network.
        "10.0.0.0",
        "10.255.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.168.0.0",
        "192.168.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "169.254.255.255",
        "fc00::",
        "fd00:ec2::254",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fe80::1",
        "febf:ffff::",
        "fec0::1",
        // The provider's.
        "100.64.0.0",
        "100.100.100.200",
        "100.127.255.255",
        // Protocols, examples, measurements.
        "192.0.0.0",
        "192.0.0.9",
        "192.0.0.170",
        "192.0.0.255",
        "192.0.2.0",
        "192.0.2.255",
        "192.88.99.1",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.255",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:2::",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff:ffff::",
        "2001:db8::",
        "2001:db8:ffff::1",
        "3fff::",
        "3fff:fff:ffff::",
        "100::1",
        "5f00::1",
        // Many, and what was never given out.
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "ff0e::1",
        "4000::1",
        "1fff::1",
        "e000::1",
        // The same, in IPv6.
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
        "::ffff:10.1.2.3",
        "::ffff:169.254.169.254",
        "::ffff:192.168.1.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.1.2.3",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::8.8.8.8",
        "64:ff9b:0:1::8.8.8.8",
        "2002:7f00:1::",
        "2002:a01:203::1",
        "2002:c0a8:101::",
        "2002:a9fe:a9fe::",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:0:8.8.8.8",
    ];
    for (addresses, reachable) in [(&public[..], true), (&not[..], false)] {
        for text in addresses {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(is_globally_reachable(address), reachable, "{text}");
        }
    }
}

fn get(uri: Uri) -> Request<bytes::Bytes> {
    let mut request = Request::new(bytes::Bytes::new());
    *request.uri_mut() = uri;
    request
}

fn public_only() -> HttpClientOptions {
    HttpClientOptions::default()
        .with_proxies(Proxies::none())
        .with_address_filter(Arc::new(is_globally_reachable))
}

#[tokio::test]
async fn a_name_and_an_address_of_this_machine() {
    let server = Judged::new(|_| ok("")).await;
    let port = server.address.port();
    let (client, anyone) = (HttpClient::new(public_only()), HttpClient::new(HttpClientOptions::default()));
    for (host, at_once) in [
        ("localhost", false),
        ("LOCALHOST", false),
        ("127.0.0.1", true),
        ("127.0.0.1.", true),
        ("[::ffff:127.0.0.1]", true),
        ("[::1]", true),
        ("0.0.0.0", true),
    ] {
        let uri: Uri = format!("http://{host}:{port}/").parse().unwrap();
        let error = client.send(get(uri.clone())).await.unwrap_err();
        let what = "the address of the server is not allowed";
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Refused, what), "{host}");
        assert_eq!(client.check(&uri).is_err(), at_once, "{host}");
        assert!(anyone.check(&uri).is_ok());
    }
    assert_eq!(server.asked(), []);
    // Without the filter, the same name leads there.
    anyone.send(get(format!("http://localhost:{port}/").parse().unwrap())).await.unwrap();
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn every_address_of_a_name_is_looked_at() {
    let server = Judged::new(|asked| match asked.line.as_str() {
        "GET /away" => answer("307 Temporary Redirect", "Location: /here\r\n", ""),
        _ => ok(""),
    })
    .await;
    let port = server.address.port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = seen.clone();
    let filter = move |address: IpAddr| {
        sees.lock().unwrap().push(address);
        address.is_ipv4()
    };
    let options = HttpClientOptions::default().with_address_filter(Arc::new(filter));
    assert!(format!("{options:?}").contains("address_filter: true"));
    let client = HttpClient::new(options.with_proxies(Proxies::none()));
    client.send(get(format!("http://localhost:{port}/away").parse().unwrap())).await.unwrap();
    client.send(get(server.uri("/"))).await.unwrap();
    assert_eq!(server.asked().len(), 3);
    let loopback: IpAddr = "127.0.0.1".parse().unwrap();
    assert!(seen.lock().unwrap().contains(&loopback), "{seen:?}");
    let error = client.send(get(format!("http://[::1]:{port}/").parse().unwrap())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

/// Behind a proxy nobody here sees an address; what is said to go through one never goes without.
#[tokio::test]
async fn a_filter_and_a_proxy() {
    let proxy = Judged::new(|_| ok("")).await;
    let proxies = Proxies::through(&proxy.address.to_string()).except("direct.test");
    let client = HttpClient::new(public_only().with_proxies(proxies));
    for target in ["http://mcp.test/", "http://93.184.215.14/"] {
        let uri = Uri::from_static(target);
        let error = client.send(get(uri.clone())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misuse, "{target}: {error}");
        assert_eq!(client.check(&uri).unwrap_err().kind(), ErrorKind::Misuse);
    }
    assert!(client.check(&Uri::from_static("http://direct.test/")).is_ok());
    // This machine is never behind a proxy.
    let error = client.check(&Uri::from_static("http://127.0.0.1/")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(proxy.asked(), []);
}
