//! A gateway of a few lines, for what a real one does not do on demand: refuse, and stay silent.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get is its failure")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

/// What becomes of the events that are posted to it. Every manner knows every key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It accepts all of them.
    Accepts,
    /// It refuses every request as a whole, for good.
    Refuses,
    /// It takes every request and never answers.
    Silent,
}

/// Starts one; its URL. It ends with the test process.
pub(crate) fn gateway(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream, manner));
        }
    });
    url
}

fn answer(mut stream: TcpStream, manner: Manner) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let whoami = line.starts_with("GET /v1/whoami");
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (status, answer) = match manner {
        _ if whoami => (200, json!({ "scopes": ["ingest"] })),
        Manner::Accepts => {
            // Small bodies come as they are.
            let events = serde_json::from_slice::<Value>(&body).ok()?["events"].as_array()?.len();
            (202, json!({ "accepted": events, "duplicates": 0, "conflicts": 0, "rejected": 0, "results": [] }))
        }
        Manner::Refuses => (403, json!({ "code": "wrong_game", "detail": "not of this key" })),
        Manner::Silent => {
            // Until the client has gone.
            let _ = reader.read(&mut [0]);
            return None;
        }
    };
    let answer = answer.to_string();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
    stream.write_all((head + &answer).as_bytes()).ok()
}
