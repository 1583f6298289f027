//! Clients without a runtime, on a thread of their own: what they allocate is not counted.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A connection.
pub(crate) struct Blocking(BufReader<TcpStream>);

impl Blocking {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        Self(BufReader::new(socket))
    }

    /// Opens an event stream.
    pub(crate) fn get(&mut self, target: &str) {
        write!(self.0.get_mut(), "GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        self.head("200");
    }

    fn head(&mut self, status: &str) {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        assert_eq!(line.split(' ').nth(1), Some(status), "{line}");
        while line != "\r\n" {
            line.clear();
            self.0.read_line(&mut line).unwrap();
        }
    }

    /// The data of the next event.
    pub(crate) fn data(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the stream ended");
            if let Some(data) = line.strip_prefix("data: ") {
                return data.trim_end().to_owned();
            }
        }
    }

    /// Posts, and waits for the 202.
    pub(crate) fn post(&mut self, target: &str, json: &str) {
        let length = json.len();
        let head = "Host: localhost\r\nContent-Type: application/json";
        let request = format!("POST {target} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{json}");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        self.head("202");
        self.0.read_exact(&mut [0; 8]).unwrap();
    }
}
