use std::io::{Read, Write};
use std::net::TcpListener;

fn main() -> std::io::Result<()> {
    let port = std::env::var("ROCKET_PORT").unwrap_or_else(|_| "80".into());
    let text = percent_encoding::percent_decode_str(macros::GREETING).decode_utf8_lossy();
    std::fs::write("/data/started", text.as_bytes())?;
    let mut number = itoa::Buffer::new();
    for stream in TcpListener::bind(format!("0.0.0.0:{port}"))?.incoming() {
        let mut stream = stream?;
        stream.read(&mut [0; 4096])?;
        let length = number.format(text.len());
        write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{text}")?;
    }
    Ok(())
}
