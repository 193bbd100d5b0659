use std::io::{Read, Write};
use std::net::TcpListener;

const BODY: &str = "{\"status\":\"available\"}";

fn main() -> std::io::Result<()> {
    let address = std::env::var("MEILI_HTTP_ADDR").unwrap_or_else(|_| "127.0.0.1:7700".into());
    for stream in TcpListener::bind(address)?.incoming() {
        let mut stream = stream?;
        stream.read(&mut [0; 4096])?;
        write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{}", BODY.len(), BODY)?;
    }
    Ok(())
}
