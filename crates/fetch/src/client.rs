//! Requests: redirects, the access token, timeouts and retries.

use std::{io, thread, time::Duration};

use ureq::{
    Agent, Body, Error, Timeout,
    http::{Request, Response, Uri, uri::Scheme},
};

use super::FetchError;

/// Redirects followed before giving up, as in browsers.
const REDIRECTS: usize = 20;

/// How long to wait for a server, and how often to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long a server may send nothing.
    pub stall: Duration,
    /// How often in a row it may fail. An attempt that brought a download further begins a new count.
    pub attempts: u32,
    /// Wait before the second attempt; doubled before each one after it.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stall: Duration::from_secs(30), attempts: 5, pause: Duration::from_secs(1) }
    }
}

impl Patience {
    /// Repeats `attempt` as long as its failures may pass. It is handed a flag to raise when it got
    /// further than any attempt before it.
    ///
    /// A server that was never reached is not tried again: the fault is likely on this side.
    pub(crate) fn retry<T>(
        &self,
        mut attempt: impl FnMut(&mut bool) -> Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        let (mut failures, mut reached) = (0, false);
        loop {
            let mut further = false;
            let error = match attempt(&mut further) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            failures = if further { 1 } else { failures + 1 };
            reached |= further || !matches!(error, FetchError::Unreachable { .. });
            if !error.is_passing() || !reached || failures >= self.attempts {
                return Err(error);
            }
            let pause = self.pause.saturating_mul(2_u32.saturating_pow(failures - 1));
            tracing::warn!(failures, pause_seconds = pause.as_secs_f64(), %error, "trying again");
            thread::sleep(pause);
        }
    }
}

/// An answer, and the address that gave it after redirects.
pub(crate) struct Reply {
    pub response: Response<Body>,
    pub uri: Uri,
}

impl Reply {
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// A header's value, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// A header that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.header(name)?.trim().parse().ok()
    }

    /// The error that the status stands for, if it is not a success.
    pub fn check(self) -> Result<Self, FetchError> {
        if self.response.status().is_success() {
            return Ok(self);
        }
        let code = self.header("x-error-code").map(str::to_owned);
        Err(FetchError::Status { url: shown(&self.uri), status: self.status(), code })
    }
}

/// Scheme, host and port: what has to be equal for two addresses to be of one server.
#[derive(PartialEq)]
struct Origin {
    https: bool,
    host: String,
    port: u16,
}

impl Origin {
    fn of(uri: &Uri) -> Self {
        let https = uri.scheme() == Some(&Scheme::HTTPS);
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        Self { https, host, port: uri.port_u16().unwrap_or(if https { 443 } else { 80 }) }
    }
}

/// Makes requests. The access token goes to one origin and no other.
pub(crate) struct Client {
    agent: Agent,
    pub patience: Patience,
    bearer: Option<(Origin, String)>,
}

impl Client {
    pub fn new(patience: Patience) -> Self {
        let stall = Some(patience.stall);
        let config = Agent::config_builder()
            .user_agent(concat!("gptune/", env!("CARGO_PKG_VERSION")))
            // Sizes and checksums are those of the file, not of a compressed transfer.
            .accept_encoding("identity")
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_resolve(stall)
            .timeout_connect(stall)
            .timeout_recv_response(stall)
            .timeout_per_read(stall)
            .timeout_per_write(stall)
            .build();
        Self { agent: config.into(), patience, bearer: None }
    }

    /// The same client with an access token for the server of `endpoint`.
    pub fn with_token(self, endpoint: &str, token: &str) -> Result<Self, FetchError> {
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(FetchError::Token);
        }
        Ok(Self { bearer: Some((Origin::of(&parse(endpoint)?), format!("Bearer {token}"))), ..self })
    }

    /// Asks for a file from byte `start` on, wherever redirects lead.
    pub fn get(&self, url: &str, start: u64) -> Result<Reply, FetchError> {
        self.follow("GET", url, start)
    }

    /// Asks for a file's headers. A redirect to another server is itself the answer: the Hub puts into
    /// it what it knows of the file.
    pub fn head(&self, url: &str) -> Result<Reply, FetchError> {
        self.follow("HEAD", url, 0)
    }

    fn follow(&self, method: &str, url: &str, start: u64) -> Result<Reply, FetchError> {
        let mut uri = parse(url)?;
        let misled = |problem: &str| FetchError::Answer { url: url.to_owned(), problem: problem.to_owned() };
        for _ in 0..=REDIRECTS {
            let reply = self.send(method, uri, start)?;
            let Some(location) = reply.header("location").filter(|_| reply.response.status().is_redirection()) else {
                return Ok(reply);
            };
            let target = resolve(&reply.uri, location).ok_or_else(|| misled("it redirects to what is no address"))?;
            let (here, there) = (Origin::of(&reply.uri), Origin::of(&target));
            if method == "HEAD" && (here != there || reply.header("x-linked-etag").is_some()) {
                return Ok(reply);
            }
            if here.https && !there.https {
                return Err(misled("it redirects from https to http"));
            }
            uri = target;
        }
        Err(misled("its redirects do not end"))
    }

    fn send(&self, method: &str, uri: Uri, start: u64) -> Result<Reply, FetchError> {
        let mut request = Request::builder().method(method).uri(&uri);
        if start > 0 {
            request = request.header("Range", format!("bytes={start}-"));
        }
        if let Some((_, bearer)) = self.bearer.as_ref().filter(|(origin, _)| *origin == Origin::of(&uri)) {
            request = request.header("Authorization", bearer);
        }
        let request = request.body(()).map_err(|_| FetchError::Address { url: shown(&uri) })?;
        let response = self.agent.run(request).map_err(|error| self.fault(&uri, error))?;
        Ok(Reply { response, uri })
    }

    /// What an error while talking to a server means to people.
    pub fn fault(&self, uri: &Uri, error: Error) -> FetchError {
        let host = host(uri);
        let unreachable = |problem: String| FetchError::Unreachable { host: host.clone(), problem };
        match error {
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => unreachable("it does not answer".to_owned()),
            Error::Timeout(_) => FetchError::Stalled { host, seconds: self.patience.stall.as_secs() },
            Error::HostNotFound => unreachable("there is no such host".to_owned()),
            Error::Io(error) if is_break(&error) => FetchError::Broken { host, problem: error.to_string() },
            Error::Io(error) => unreachable(error.to_string()),
            Error::Protocol(error) => FetchError::Broken { host, problem: error.to_string() },
            error => unreachable(error.to_string()),
        }
    }
}

/// Whether a connection was there and was lost. A name that does not resolve and a certificate that is
/// not trusted have no kind of their own.
fn is_break(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof)
}

fn parse(url: &str) -> Result<Uri, FetchError> {
    let uri = url.parse().ok().filter(is_http);
    uri.ok_or_else(|| FetchError::Address { url: url.to_owned() })
}

fn is_http(uri: &Uri) -> bool {
    uri.host().is_some_and(|host| !host.is_empty()) && matches!(uri.scheme_str(), Some("http" | "https"))
}

/// Host and port of an address, without a user's name and password.
pub(crate) fn host(uri: &Uri) -> String {
    let port = uri.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}{port}", uri.host().unwrap_or_default())
}

/// An address as it may be shown: what follows `?` can be a signature that is as good as a key.
pub(crate) fn shown(uri: &Uri) -> String {
    format!("{}://{}{}", uri.scheme_str().unwrap_or_default(), host(uri), uri.path())
}

/// Where a `Location` header leads: an address, or a part of one that the rest of `base` completes.
fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    let location = location.split('#').next().unwrap_or_default();
    let full = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.split(['/', '?']).next().is_some_and(|start| start.contains(':')) {
        location.to_owned()
    } else {
        let (path, query) = location.split_once('?').map_or((location, None), |(path, query)| (path, Some(query)));
        let mut segments: Vec<&str> = base.path().split('/').collect();
        if !path.is_empty() {
            segments.pop();
            for segment in path.split('/').filter(|segment| *segment != ".") {
                match segment {
                    ".." if segments.len() > 1 => _ = segments.pop(),
                    ".." => {}
                    _ => segments.push(segment),
                }
            }
        }
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        format!("{scheme}://{authority}{}{query}", segments.join("/"))
    };
    full.parse().ok().filter(is_http)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_complete_the_address() {
        let base = parse("https://hub.example:8000/a/b/c?x=1").unwrap();
        for (location, expected) in [
            ("https://cdn.example/f?s=1#part", Some("https://cdn.example/f?s=1")),
            ("//cdn.example/f", Some("https://cdn.example/f")),
            ("/f?at=12:30", Some("https://hub.example:8000/f?at=12:30")),
            ("f", Some("https://hub.example:8000/a/b/f")),
            ("./f/g", Some("https://hub.example:8000/a/b/f/g")),
            ("../f?a/../b", Some("https://hub.example:8000/a/f?a/../b")),
            ("../../../../f", Some("https://hub.example:8000/f")),
            ("?y=2", Some("https://hub.example:8000/a/b/c?y=2")),
            ("file:///etc/passwd", None),
            ("https://", None),
            ("//", None),
        ] {
            assert_eq!(resolve(&base, location).map(|uri| uri.to_string()).as_deref(), expected, "{location}");
        }
        assert_eq!(shown(&base), "https://hub.example:8000/a/b/c");
        assert_eq!(shown(&parse("http://me:secret@hub.example/a?key").unwrap()), "http://hub.example/a");
    }

    #[test]
    fn origins() {
        let origin = |url: &str| Origin::of(&parse(url).unwrap());
        assert!(origin("https://Hub.example/a") == origin("https://hub.example:443/b"));
        for other in
            ["http://hub.example", "https://hub.example:444", "https://hub.example.evil", "https://cdn.example"]
        {
            assert!(origin("https://hub.example") != origin(other), "{other}");
        }
        assert!(origin("https://hub.example@evil.example") == origin("https://evil.example"));
    }

    #[test]
    fn retries_stop_when_nothing_moves() {
        let patience = Patience { attempts: 3, pause: Duration::ZERO, ..Patience::default() };
        let broken = || FetchError::Broken { host: String::new(), problem: String::new() };
        let unreachable = || FetchError::Unreachable { host: String::new(), problem: String::new() };
        let tries = |fail: &dyn Fn(u32, &mut bool) -> FetchError| {
            let mut count = 0;
            let result: Result<(), _> = patience.retry(|further| {
                count += 1;
                Err(fail(count, further))
            });
            result.unwrap_err();
            count
        };
        assert_eq!(tries(&|_, _| broken()), 3);
        assert_eq!(tries(&|_, _| unreachable()), 1);
        assert_eq!(tries(&|_, _| FetchError::Token), 1);
        assert_eq!(tries(&|count, _| if count == 1 { broken() } else { unreachable() }), 3);
        let further_until_fifth = |count, further: &mut bool| {
            *further = count <= 5;
            broken()
        };
        assert_eq!(tries(&further_until_fifth), 7);
    }
}
