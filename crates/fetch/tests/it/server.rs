//! A small HTTP server that can misbehave.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What was asked. Names of headers are in lower case.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// First byte that the `Range` header asks for.
    pub fn start(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What is answered, and how badly.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// The connection is closed after so many bytes of the body.
    pub cut: Option<usize>,
    /// Nothing is sent for a long time after so many bytes of the body.
    pub stall: Option<usize>,
    /// Wait after each kilobyte.
    pub slow: Duration,
    /// In chunks, without a length.
    pub chunked: bool,
    /// Sent in place of everything else.
    pub raw: Option<Vec<u8>>,
}

impl Reply {
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// The answer to a request for `bytes`, or for their end.
    pub fn file(request: &Request, bytes: &[u8]) -> Self {
        let reply = match request.start() {
            None => Self { body: bytes.to_vec(), ..Self::new(200) },
            Some(start) if start >= bytes.len() => {
                Self::new(416).header("Content-Range", format!("bytes */{}", bytes.len()))
            }
            Some(start) => Self { body: bytes[start..].to_vec(), ..Self::new(206) }
                .header("Content-Range", format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len())),
        };
        reply.header("Accept-Ranges", "bytes")
    }
}

/// A server on a port of its own, which is known as `127.0.0.1` and as `localhost`.
pub struct Server {
    pub port: u16,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (handler, requests) = (Arc::new(handler), Arc::clone(&log));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (handler, requests) = (Arc::clone(&handler), Arc::clone(&requests));
                thread::spawn(move || serve(stream, &*handler, &requests));
            }
        });
        Self { port, log }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    /// Requests for contents, by where they began.
    pub fn starts(&self) -> Vec<Option<usize>> {
        let requests = self.requests();
        requests.iter().filter(|request| request.path.starts_with("/cdn/")).map(Request::start).collect()
    }
}

fn serve(mut stream: TcpStream, handler: &dyn Fn(&Request) -> Reply, log: &Mutex<Vec<Request>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers = lines.take_while(|line| !line.is_empty());
    let headers = headers.filter_map(|line| line.split_once(": ").map(|(k, v)| (k.to_lowercase(), v.to_owned())));
    let request = Request { method, path, headers: headers.collect() };
    log.lock().unwrap().push(request.clone());
    let mut reply = handler(&request);
    if let Some(raw) = &reply.raw {
        return stream.write_all(raw).ok();
    }
    if reply.chunked {
        reply = reply.header("Transfer-Encoding", "chunked");
    } else if !reply.headers.contains_key("Content-Length") {
        let length = reply.body.len();
        reply = reply.header("Content-Length", length.to_string());
    }
    let mut head = format!("HTTP/1.1 {} Because\r\nConnection: close\r\n", reply.status);
    head.extend(reply.headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]));
    stream.write_all((head + "\r\n").as_bytes()).ok()?;
    if request.method == "HEAD" {
        return Some(());
    }
    let mut sent = 0;
    loop {
        if reply.stall == Some(sent) {
            thread::sleep(Duration::from_mins(10));
        }
        let ends = [Some(reply.body.len()), reply.cut, reply.stall.filter(|&stall| stall > sent), Some(sent + 1024)];
        let end = ends.into_iter().flatten().min()?;
        if end <= sent {
            break;
        }
        let piece = &reply.body[sent..end];
        if reply.chunked {
            write!(stream, "{:x}\r\n", piece.len()).ok()?;
        }
        stream.write_all(piece).ok()?;
        if reply.chunked {
            stream.write_all(b"\r\n").ok()?;
        }
        sent = end;
        thread::sleep(reply.slow);
    }
    if reply.chunked && sent == reply.body.len() {
        stream.write_all(b"0\r\n\r\n").ok()?;
    }
    Some(())
}
