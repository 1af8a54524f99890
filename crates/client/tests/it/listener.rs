//! A listener that answers each request by a function and records it. Not a server: it knows no rules.

use std::sync::{Arc, Mutex};

use client::credentials::{Server, parse_url};
use client::http::Client;
use client::secret::Secret;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// Such as `GET /api/whoami-v2`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What is said back.
pub enum Reply {
    /// Status, further headers, body.
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Announces all of the body and breaks off after so many bytes.
    Broken(Vec<u8>, usize),
    /// Nothing: the connection closes.
    Silence,
}

impl Reply {
    pub fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::Whole(status, vec![("content-type", "application/json".into())], value.to_string().into_bytes())
    }
}

pub struct Listener {
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Listener {
    /// Answers by `reply`, which is given the request and how many came before it.
    pub async fn start(reply: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (record, reply) = (requests.clone(), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, record.clone(), reply.clone()));
            }
        });
        Self { address, requests }
    }

    pub fn client(&self) -> Client {
        let url = parse_url(&self.address).unwrap();
        Client::new(&Server { url, token: Some(Secret::new("rn_secret")) }).unwrap()
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.line).collect()
    }
}

/// One request for each connection: the answer closes it.
async fn serve<F: Fn(&Request, usize) -> Reply>(
    stream: TcpStream,
    record: Arc<Mutex<Vec<Request>>>,
    reply: Arc<F>,
) {
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream).await else { return };
    let n_before = {
        let mut record = record.lock().unwrap();
        record.push(request.clone());
        record.len() - 1
    };
    let (status, headers, body, n_sent) = match reply(&request, n_before) {
        Reply::Whole(status, headers, body) => {
            let n_bytes = body.len();
            (status, headers, body, n_bytes)
        }
        Reply::Broken(body, n_sent) => (200, Vec::new(), body, n_sent),
        Reply::Silence => return,
    };
    let mut head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = stream.into_inner();
    // A client that has gone away is no failure of the listener.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
    let _ = stream.write_all(&body[..n_sent]).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
    let line = line.trim_end().strip_suffix(" HTTP/1.1")?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        match header.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let mut request = Request { line, headers, body: Vec::new() };
    if request.header("transfer-encoding") == Some("chunked") {
        request.body = read_chunks(stream).await?;
    } else if let Some(n_bytes) = request.header("content-length") {
        request.body = vec![0; n_bytes.parse().unwrap()];
        stream.read_exact(&mut request.body).await.ok()?;
    }
    Some(request)
}

async fn read_chunks(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        stream.read_line(&mut size).await.ok()?;
        let n_bytes = usize::from_str_radix(size.trim_end(), 16).ok()?;
        let mut chunk = vec![0; n_bytes + 2];
        stream.read_exact(&mut chunk).await.ok()?;
        if n_bytes == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..n_bytes]);
    }
}
