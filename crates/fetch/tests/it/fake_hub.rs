//! A server that answers as the Hub and its content delivery network do.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
    time::Duration,
};

use gptune_fetch::{Activity, Checks, FetchError, Hub, Patience, Progress};
use serde_json::json;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use tempfile::TempDir;

use crate::server::{Reply, Request, Server};

pub const REPOSITORY: &str = "owner/name";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const LARGE: &str = "model.safetensors";
/// Length of the large file: no multiple of anything.
pub const SIZE: usize = 300_007;

/// Quick to give up and to try again, but slow to call a server stalled: tests run on busy machines.
pub const PATIENCE: Patience = Patience { stall: Duration::from_mins(1), attempts: 4, pause: Duration::from_millis(5) };

/// The files of the repository.
pub static FILES: LazyLock<BTreeMap<&'static str, Vec<u8>>> = LazyLock::new(|| {
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    BTreeMap::from([
        ("config.json", b"{\"model_type\": \"gpt2\"}\n".to_vec()),
        ("empty", Vec::new()),
        ("onnx/a b.txt", b"in a folder".to_vec()),
        (LARGE, (0..SIZE).map(|_| random()).collect()),
    ])
});

static ETAGS: LazyLock<BTreeMap<&'static str, String>> = LazyLock::new(|| {
    let etag = |(&name, bytes): (&&'static str, &Vec<u8>)| {
        let git = || Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes);
        let tag =
            if name == LARGE { format!("{:x}", Sha256::digest(bytes)) } else { format!("{:x}", git().finalize()) };
        (name, tag)
    };
    FILES.iter().map(etag).collect()
});

/// The large file.
pub fn large() -> &'static [u8] {
    &FILES[LARGE]
}

/// SHA-256 of what is on the content delivery network, else git's checksum.
pub fn etag(name: &str) -> &'static str {
    &ETAGS[name]
}

/// For a fetch that only checks what is there.
pub fn nothing_received(progress: Progress<'_>) {
    assert_eq!(progress.activity, Activity::Checking, "{progress:?}");
}

/// An answer like the Hub's.
pub fn answer(request: &Request) -> Reply {
    let path = request.path.split('?').next().unwrap();
    let host = request.header("host").unwrap().replace("127.0.0.1", "localhost");
    let resolve = format!("/{REPOSITORY}/resolve/");
    if ["main", COMMIT]
        .map(|revision| format!("/api/models/{REPOSITORY}/revision/{revision}"))
        .contains(&path.to_owned())
    {
        let siblings: Vec<_> = FILES.keys().map(|name| json!({"rfilename": name})).collect();
        let body = json!({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings}).to_string().into_bytes();
        Reply { body, ..Reply::new(200).header("Content-Type", "application/json") }
    } else if path == format!("/api/models/{REPOSITORY}/tree/{COMMIT}") {
        let tree = FILES.iter().map(|(name, bytes)| {
            let lfs = (*name == LARGE).then(|| json!({"oid": etag(name), "size": bytes.len(), "pointerSize": 134}));
            let mut file = json!({"type": "file", "path": name, "size": bytes.len(), "oid": etag(name)});
            lfs.map(|lfs| file.as_object_mut().unwrap().insert("lfs".to_owned(), lfs));
            file
        });
        let body = serde_json::to_vec(&tree.collect::<Vec<_>>()).unwrap();
        Reply { body, ..Reply::new(200).header("Content-Type", "application/json") }
    } else if path == format!("/cdn/{}", etag(LARGE)) {
        // As a storage service does when it gets a second authorization beside its signature.
        if request.header("authorization").is_some() || !request.path.ends_with("?signature=secret") {
            return Reply::new(400);
        }
        Reply::file(request, &FILES[LARGE])
    } else if let Some((revision, name)) = path.strip_prefix(&resolve).and_then(|rest| rest.split_once('/'))
        && let Some(bytes) = FILES.get(name.replace("%20", " ").as_str())
    {
        assert!([COMMIT, "main"].contains(&revision), "{revision}");
        let name = name.replace("%20", " ");
        if name == LARGE {
            let location = format!("http://{host}/cdn/{}?signature=secret", etag(LARGE));
            return Reply::new(302)
                .header("Location", location)
                .header("X-Repo-Commit", COMMIT)
                .header("X-Linked-Size", bytes.len().to_string())
                .header("X-Linked-Etag", format!("\"{}\"", etag(LARGE)))
                .header("ETag", "\"of the redirect\"");
        }
        let reply = Reply::file(request, bytes).header("X-Repo-Commit", COMMIT);
        reply.header("ETag", format!("\"{}\"", etag(&name)))
    } else {
        Reply::new(404)
    }
}

/// A Hub, a cache for it, and what is needed to use them.
pub struct Fixture {
    pub server: Server,
    pub folder: TempDir,
}

impl Fixture {
    /// A Hub whose answers `change` may change.
    pub fn new(change: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Self {
        let server = Server::start(move |request| change(request, answer(request)));
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    /// A Hub that changes only what the content delivery network sends. It is also told how many
    /// requests came to that before.
    pub fn with_contents(change: impl Fn(usize, &Request, Reply) -> Reply + Send + Sync + 'static) -> Self {
        let count = std::sync::atomic::AtomicUsize::new(0);
        Self::new(move |request, reply| {
            if !request.path.starts_with("/cdn/") {
                return reply;
            }
            change(count.fetch_add(1, std::sync::atomic::Ordering::SeqCst), request, reply)
        })
    }

    pub fn variables(&self) -> BTreeMap<&'static str, OsString> {
        BTreeMap::from([("HF_ENDPOINT", self.server.url().into()), ("HF_HOME", self.folder.path().into())])
    }

    /// A program in an environment with the variables, and no others that matter.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
            command.env_remove(name);
        }
        command.envs(self.variables());
        command
    }

    pub fn hub(&self) -> Hub {
        self.hub_with(&[], PATIENCE)
    }

    /// The Hub with further variables.
    pub fn hub_with(&self, more: &[(&'static str, &str)], patience: Patience) -> Hub {
        let mut variables = self.variables();
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).into())));
        Hub::from_variables(|name| variables.get(name).cloned(), patience)
    }

    /// The Hub as another process sees it that finds the stamps of those before.
    pub fn hub_with_stamps(&self) -> Hub {
        self.hub().with_checks(Checks::remembered_in(self.stamps()))
    }

    pub fn stamps(&self) -> PathBuf {
        self.folder.path().join("checked")
    }

    pub fn fetch_large(&self) -> Result<PathBuf, FetchError> {
        self.hub().fetch(REPOSITORY, &[LARGE], &[], &mut |_| {})
    }

    /// The repository's folder in the cache.
    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("hub/models--owner--name")
    }

    /// Where the contents of a file are.
    pub fn blob(&self, name: &str) -> PathBuf {
        self.repository().join("blobs").join(etag(name))
    }

    pub fn partial(&self) -> PathBuf {
        self.repository().join(format!("blobs/{}.incomplete", etag(LARGE)))
    }

    /// Leaves what a download that was cut off would have left.
    pub fn leave(&self, bytes: &[u8]) {
        fs::create_dir_all(self.repository().join("blobs")).unwrap();
        fs::write(self.partial(), bytes).unwrap();
    }

    /// Asserts that the large file is in the cache, that nothing else lies about, and that nothing was
    /// half-written.
    pub fn assert_complete(&self, snapshot: &Path) {
        assert!(fs::read(snapshot.join(LARGE)).unwrap() == large());
        assert!(fs::read(self.repository().join("blobs").join(etag(LARGE))).unwrap() == large());
        assert_eq!(snapshot, self.repository().join("snapshots").join(COMMIT));
        assert_eq!(fs::read_to_string(self.repository().join("refs/main")).unwrap(), COMMIT);
        assert!(!self.partial().exists());
    }

    /// Asserts that no file appeared under its name.
    pub fn assert_absent(&self) {
        assert!(!self.repository().join("snapshots").exists());
        assert!(!self.repository().join("refs").exists());
        assert!(!self.repository().join("blobs").join(etag(LARGE)).exists());
        assert_eq!(self.hub().cached(REPOSITORY), None);
    }
}
