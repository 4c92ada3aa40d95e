//! Data sets of the Hub.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use gptune_fetch::{DataSet, DataSetName, FetchError, Hub, Patience};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    fake_hub::{PATIENCE, nothing_received},
    server::{Reply, Request, Server},
};

pub const COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";
const CONVERTED: &str = "fedcba9876543210fedcba9876543210fedcba98";

type Files = BTreeMap<String, Vec<u8>>;

pub fn files(names: &[&str]) -> Files {
    names.iter().map(|&name| (name.to_owned(), format!("what is in {name}\n").repeat(200).into_bytes())).collect()
}

/// A Hub with one data set, and a cache.
pub struct Fixture {
    pub server: Server,
    pub folder: TempDir,
}

impl Fixture {
    /// The files at `main`, those that the Hub converted, and what is to be changed.
    pub fn new(
        main: Files,
        converted: Option<Files>,
        change: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let server = Server::start(move |request| change(request, answer(&main, converted.as_ref(), request)));
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    pub fn with(names: &[&str]) -> Self {
        Self::new(files(names), None, |_, reply| reply)
    }

    /// A program in an environment with this Hub and cache, and no others.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
            command.env_remove(name);
        }
        command.env("HF_ENDPOINT", self.server.url()).env("HF_HOME", self.folder.path());
        command
    }

    pub fn hub(&self) -> Hub {
        self.hub_with(&[], PATIENCE)
    }

    pub fn offline(&self) -> Hub {
        self.hub_with(&[("HF_HUB_OFFLINE", "1")], PATIENCE)
    }

    pub fn hub_with(&self, more: &[(&str, &str)], patience: Patience) -> Hub {
        let home = self.folder.path().to_str().unwrap().to_owned();
        let mut variables = BTreeMap::from([("HF_ENDPOINT", self.server.url()), ("HF_HOME", home)]);
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        Hub::from_variables(|name| variables.get(name).map(Into::into), patience)
    }

    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("hub/datasets--owner--name")
    }

    /// How often contents were asked for.
    fn downloads(&self) -> usize {
        self.server
            .requests()
            .iter()
            .filter(|request| request.method == "GET" && request.path.contains("/resolve/"))
            .count()
    }
}

fn answer(main: &Files, converted: Option<&Files>, request: &Request) -> Reply {
    let revisions = [("main", COMMIT, Some(main)), ("v1", COMMIT, Some(main)), (COMMIT, COMMIT, Some(main))];
    let conversion = [("refs%2Fconvert%2Fparquet", CONVERTED, converted)];
    for (revision, commit, files) in revisions.into_iter().chain(conversion) {
        let Some(files) = files else { continue };
        if request.path == format!("/api/datasets/owner/name/revision/{revision}") {
            let siblings: Vec<_> = files.keys().map(|name| json!({ "rfilename": name })).collect();
            let body = json!({ "id": "owner/name", "sha": commit, "siblings": siblings }).to_string().into_bytes();
            return Reply { body, ..Reply::new(200) };
        }
        if request.path.split('?').next() == Some(&format!("/api/datasets/owner/name/tree/{commit}")) {
            let entry = |(name, bytes): (&String, &Vec<u8>)| {
                let oid = format!("{:x}", Sha256::digest(bytes));
                let lfs = json!({ "oid": oid, "size": bytes.len(), "pointerSize": 134 });
                json!({ "type": "file", "path": name, "size": bytes.len(), "oid": "0".repeat(40), "lfs": lfs })
            };
            return Reply {
                body: json!(files.iter().map(entry).collect::<Vec<_>>()).to_string().into_bytes(),
                ..Reply::new(200)
            };
        }
        let name = request.path.strip_prefix(&format!("/datasets/owner/name/resolve/{commit}/"));
        let name = name
            .or_else(|| request.path.strip_prefix("/datasets/owner/name/resolve/main/").filter(|_| commit == COMMIT));
        if let Some(bytes) = name.and_then(|name| files.get(name)) {
            let reply = Reply::file(request, bytes).header("X-Repo-Commit", commit);
            return reply.header("ETag", format!("\"{:x}\"", Sha256::digest(bytes)));
        }
    }
    if request.path.starts_with("/api/datasets/owner/name/revision/") {
        return Reply::new(404).header("X-Error-Code", "RevisionNotFound");
    }
    Reply::new(401).header("X-Error-Code", "RepoNotFound")
}

pub fn name(text: &str) -> DataSetName {
    DataSetName::parse(text).unwrap().unwrap()
}

fn fetch(hub: &Hub, text: &str) -> Result<DataSet, FetchError> {
    hub.data_set(&name(text), &mut |_| {})
}

fn splits(set: &DataSet) -> Vec<String> {
    set.splits.iter().map(|(split, files)| format!("{split}={}", files.join(","))).collect()
}

pub const SHARDED: [&str; 5] = [
    "README.md",
    "data/test-00000-of-00001.parquet",
    "data/train-00000-of-00003.parquet",
    "data/train-00001-of-00003.parquet",
    "data/train-00002-of-00003.parquet",
];

#[test]
fn shards_come_in_order_into_the_cache_of_others() {
    let fixture = Fixture::with(&SHARDED);
    let set = fetch(&fixture.hub(), "owner/name").unwrap();
    let train = (0..3).map(|n| format!("data/train-0000{n}-of-00003.parquet")).collect::<Vec<_>>().join(",");
    assert_eq!(splits(&set), [format!("train={train}"), "test=data/test-00000-of-00001.parquet".to_owned()]);
    let snapshot = fixture.repository().join("snapshots").join(COMMIT);
    assert_eq!((set.commit.as_str(), set.revision.as_str(), &set.folder), (COMMIT, "main", &snapshot));
    assert!(set.is_known && set.absent.is_empty() && set.left_out.is_empty());
    for (split, paths) in set.paths() {
        for (path, file) in paths.iter().zip(&set.splits.iter().find(|(own, _)| *own == split).unwrap().1) {
            assert_eq!(fs::read(path).unwrap(), files(&SHARDED)[file.as_str()]);
        }
    }
    assert_eq!(fs::read_to_string(fixture.repository().join("refs/main")).unwrap(), COMMIT);
    // What is there is found without the Hub, and not fetched again with it.
    let (before, downloads) = (fixture.server.requests().len(), fixture.downloads());
    let (found, check) = fixture.hub().cached_data_set(&name("owner/name"), &mut nothing_received).unwrap().unwrap();
    assert_eq!((&found, check.damaged.len()), (&set, 0));
    assert_eq!(fixture.server.requests().len(), before);
    assert_eq!(fixture.hub().data_set(&name("owner/name:test"), &mut nothing_received).unwrap().splits.len(), 1);
    assert_eq!(fixture.downloads(), downloads);

    // One split is one split.
    let fixture = Fixture::with(&SHARDED);
    let set = fetch(&fixture.hub(), "owner/name:test").unwrap();
    assert_eq!(set.files(), ["data/test-00000-of-00001.parquet"]);
    assert_eq!(fixture.downloads(), 2, "and the description");
}

#[test]
fn a_revision_is_asked_for_and_kept() {
    let fixture = Fixture::with(&["train.jsonl"]);
    let set = fetch(&fixture.hub(), "owner/name@v1").unwrap();
    assert_eq!((set.commit.as_str(), set.revision.as_str()), (COMMIT, "v1"));
    assert_eq!(fs::read_to_string(fixture.repository().join("refs/v1")).unwrap(), COMMIT);
    assert!(!fixture.repository().join("refs/main").exists());
    assert_eq!(fetch(&fixture.offline(), "owner/name@v1").unwrap(), set);
    // A commit needs no reference.
    let pinned = format!("owner/name@{COMMIT}");
    assert_eq!(fetch(&fixture.offline(), &pinned).unwrap().folder, set.folder);
    let error = fetch(&fixture.offline(), "owner/name").unwrap_err().to_string();
    assert!(error.starts_with("HF_HUB_OFFLINE is set, and ") && error.contains("copy of owner/name"), "{error}");
    let error = fetch(&fixture.hub(), "owner/name@v2").unwrap_err().to_string();
    let expected = "the data set 'owner/name' has no revision 'v2'; check the name of the branch, tag or commit";
    assert_eq!(error, expected);
    assert!(!fixture.server.requests().iter().any(|request| request.path.contains("convert")));
}

#[test]
fn what_may_not_be_read_and_what_is_not_there() {
    let fixture = Fixture::with(&["train.jsonl"]);
    let url = fixture.server.url();
    let error = fetch(&fixture.hub(), "owner/other").unwrap_err().to_string();
    let start = format!("{url} has no data set 'owner/other' that everyone may read; check the name, or set HF_TOKEN");
    assert!(error.starts_with(&start), "{error}");

    for part in ["/api/", "/resolve/"] {
        for status in [401, 403] {
            let fixture = Fixture::new(files(&["train.jsonl"]), None, move |request, reply| {
                let is_open = request.header("authorization") == Some("Bearer hf_token");
                let refused = Reply::new(status).header("X-Error-Code", "GatedRepo");
                if is_open || !request.path.contains(part) { reply } else { refused }
            });
            let (url, error) = (fixture.server.url(), fetch(&fixture.hub(), "owner/name").unwrap_err().to_string());
            let expected = format!(
                "{url} does not let you read 'owner/name'; accept its terms at {url}/datasets/owner/name if it is gated, \
                 and set HF_TOKEN to an access token that may read it"
            );
            assert_eq!(error, expected);
            fetch(&fixture.hub_with(&[("HF_TOKEN", "hf_token")], PATIENCE), "owner/name").unwrap();
        }
    }
    let fixture = Fixture::new(files(&["train.jsonl"]), None, |_, _| Reply::new(404));
    let error = fetch(&fixture.hub(), "owner/name").unwrap_err().to_string();
    assert_eq!(error, format!("{} has no data set 'owner/name'; check the name", fixture.server.url()));
}

#[test]
fn a_download_that_was_cut_off_goes_on() {
    let broken = Mutex::new(0);
    let fixture = Fixture::new(files(&SHARDED), None, move |request, reply| {
        let is_second = request.method == "GET" && request.path.ends_with("train-00001-of-00003.parquet");
        let mut count = broken.lock().unwrap();
        *count += usize::from(is_second);
        if is_second && *count <= PATIENCE.attempts as usize {
            // The first attempt gets somewhere, and those after it do not.
            return Reply { cut: Some(if *count == 1 { 1000 } else { 0 }), ..reply };
        }
        reply
    });
    let error = fetch(&fixture.hub(), "owner/name").unwrap_err();
    assert!(matches!(error, FetchError::Broken { .. }), "{error}");
    // Not usable until it is whole, and what is missing is known.
    assert_eq!(fixture.hub().cached_data_set(&name("owner/name"), &mut |_| {}).unwrap(), None);
    let error = fetch(&fixture.offline(), "owner/name").unwrap_err().to_string();
    let snapshot = fixture.repository().join("snapshots").join(COMMIT);
    let missing = "data/train-00001-of-00003.parquet, data/train-00002-of-00003.parquet";
    let expected = format!("HF_HUB_OFFLINE is set, and {} has no {missing}; unset it to download", snapshot.display());
    assert_eq!(error, expected);
    let set = fetch(&fixture.hub(), "owner/name").unwrap();
    assert_eq!(set.files().len(), 4);
    let starts = fixture.server.requests().into_iter().filter(|request| request.path.contains("train-00001"));
    let starts: Vec<_> = starts.filter(|request| request.method == "GET").map(|request| request.start()).collect();
    assert_eq!(starts, [None, Some(1000), Some(1000), Some(1000), Some(1000)]);
}

#[test]
fn the_cache_serves_offline_and_names_what_it_lacks() {
    let fixture = Fixture::with(&SHARDED);
    let set = fetch(&fixture.hub(), "owner/name").unwrap();
    let before = fixture.server.requests().len();
    let offline = fixture.offline();
    assert_eq!(offline.data_set(&name("owner/name"), &mut nothing_received).unwrap(), set);
    // Nobody listens there.
    let alone = fixture.hub_with(&[("HF_ENDPOINT", "http://127.0.0.1:9")], PATIENCE);
    assert_eq!(alone.data_set(&name("owner/name"), &mut nothing_received).unwrap(), set);

    // Without a list of its files, the numbers of the shards tell what is missing.
    fs::remove_dir_all(fixture.repository().join("listings")).unwrap();
    let found = fetch(&offline, "owner/name").unwrap();
    assert_eq!((found.is_known, &found.splits), (false, &set.splits));
    assert_eq!(offline.cached_data_set(&name("owner/name"), &mut nothing_received).unwrap(), None);
    let shard = set.folder.join("data/train-00001-of-00003.parquet");
    fs::remove_file(&shard).unwrap();
    let error = fetch(&offline, "owner/name").unwrap_err().to_string();
    let end = format!("{} has no data/train-00001-of-00003.parquet; unset it to download", set.folder.display());
    assert_eq!(error, format!("HF_HUB_OFFLINE is set, and {end}"));
    let error = fetch(&alone, "owner/name").unwrap_err().to_string();
    let place =
        format!("{} has no data/train-00001-of-00003.parquet, which cannot be downloaded: ", set.folder.display());
    assert!(error.starts_with(&place), "{error}");
    assert_eq!(fixture.server.requests().len(), before);

    // A damaged one is named, and fetched again where it can be.
    assert_eq!(fetch(&fixture.hub(), "owner/name").unwrap(), set);
    fs::write(shard.canonicalize().unwrap(), "cut").unwrap();
    let error = fetch(&offline, "owner/name").unwrap_err().to_string();
    assert!(error.starts_with(&format!("HF_HUB_OFFLINE is set, and {} is damaged (", shard.display())), "{error}");
    let (found, check) = fixture.hub().cached_data_set(&name("owner/name"), &mut |_| {}).unwrap().unwrap();
    assert_eq!((found.commit.as_str(), check.damaged[0].file.as_str()), (COMMIT, "data/train-00001-of-00003.parquet"));
    fixture.hub().repair_data_set(&found, &[check.damaged[0].file.as_str()], &mut |_| {}).unwrap();
    assert_eq!(fetch(&offline, "owner/name").unwrap(), set);
}

#[test]
fn what_is_made_by_a_program_is_taken_from_the_conversion_or_refused() {
    let main = files(&["README.md", "name.py", "data.zip"]);
    let converted = files(&["default/train/0000.parquet", "default/train/0001.parquet", "default/test/0000.parquet"]);
    for main in [main, files(&["picture.png"])] {
        let fixture = Fixture::new(main.clone(), Some(converted.clone()), |_, reply| reply);
        let set = fetch(&fixture.hub(), "owner/name").unwrap();
        let train = "train=default/train/0000.parquet,default/train/0001.parquet";
        assert_eq!(splits(&set), [train, "test=default/test/0000.parquet"]);
        assert_eq!((set.commit.as_str(), set.revision.as_str()), (CONVERTED, "refs/convert/parquet"));
        let reference = fixture.repository().join("refs/refs/convert/parquet");
        assert_eq!(fs::read_to_string(reference).unwrap(), CONVERTED);
        assert_eq!(fetch(&fixture.offline(), "owner/name").unwrap(), set);
        assert_eq!(fixture.hub().cached_data_set(&name("owner/name"), &mut |_| {}).unwrap().unwrap().0, set);

        let fixture = Fixture::new(main.clone(), None, |_, reply| reply);
        let error = fetch(&fixture.hub(), "owner/name").unwrap_err().to_string();
        let words =
            if main.len() == 1 { "has no JSON, JSON Lines" } else { "is made by a program, name.py, which is not run" };
        assert!(error.starts_with(&format!("the data set 'owner/name' {words}")), "{error}");
        // At a revision that was named nothing else will do.
        let fixture = Fixture::new(main, Some(converted.clone()), |_, reply| reply);
        fetch(&fixture.hub(), "owner/name@v1").unwrap_err();
    }
}

#[test]
fn the_description_decides_and_a_file_can_be_named() {
    let mut main = files(&["a.csv", "b.csv", "odd/x.json.gz"]);
    let card = "---\nconfigs:\n- config_name: one\n  data_files: a.csv\n- config_name: two\n  data_files: b.csv\n---\n";
    main.insert("README.md".to_owned(), card.into());
    let fixture = Fixture::new(main.clone(), None, |_, reply| reply);
    let error = fetch(&fixture.hub(), "owner/name").unwrap_err().to_string();
    assert!(error.contains("has the configurations one, two, and none is the default one; name one"), "{error}");
    let set = fetch(&fixture.hub(), "owner/name:two").unwrap();
    assert_eq!((splits(&set), set.configuration.as_deref()), (vec!["train=b.csv".to_owned()], Some("two")));
    assert_eq!(fetch(&fixture.offline(), "owner/name:two").unwrap(), set);
    let error = fetch(&fixture.offline(), "owner/name:one").unwrap_err().to_string();
    assert!(error.ends_with(" has no a.csv; unset it to download"), "{error}");
    let set = fetch(&fixture.hub(), "hf://datasets/owner/name/odd/x.json.gz").unwrap();
    assert_eq!(splits(&set), ["train=odd/x.json.gz"]);

    main.insert("README.md".to_owned(), "---\nconfigs: {}\n---\n".into());
    let fixture = Fixture::new(main, None, |_, reply| reply);
    let error = fetch(&fixture.hub(), "owner/name").unwrap_err().to_string();
    let start = "cannot tell which files the data set 'owner/name' has: README.md, line 2: ";
    assert!(error.starts_with(start), "{error}");
    fetch(&fixture.hub(), "hf://datasets/owner/name/a.csv").unwrap();
}

#[test]
fn requests_are_told_and_names_stay_in_the_cache() {
    let fixture = Fixture::with(&["train.jsonl", "/etc/evil.jsonl"]);
    let url = fixture.server.url();
    let requests = fixture.hub().data_set_requests(&name("owner/name@refs/pr/1")).unwrap();
    assert_eq!(requests[0], format!("GET {url}/api/datasets/owner/name/revision/refs%2Fpr%2F1"));
    assert_eq!(requests[2], format!("GET {url}/datasets/owner/name/resolve/{{commit}}/README.md"));
    assert!(fixture.server.requests().is_empty());
    let error = fetch(&fixture.hub(), "hf://datasets/owner/name/**").unwrap_err();
    assert!(matches!(error, FetchError::FileName { .. }), "{error}");
    let outside = DataSetName { revision: Some("../../x".to_owned()), ..name("owner/name") };
    let error = fixture.hub().data_set(&outside, &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::RevisionName { .. }), "{error}");
}
