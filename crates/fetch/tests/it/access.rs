//! Who may read what, and who gets to see the token.

use gptune_fetch::FetchError;

use crate::{
    fake_hub::{COMMIT, Fixture, LARGE, PATIENCE, REPOSITORY, etag},
    server::Reply,
};

const TOKEN: &str = "hf_token";

fn fetch_with_token(fixture: &Fixture) -> Result<std::path::PathBuf, FetchError> {
    fixture.hub_with(&[("HF_TOKEN", TOKEN)], PATIENCE).fetch(REPOSITORY, &["config.json", LARGE], &[], &mut |_| {})
}

/// Asserts that the token was sent to the Hub with each request, and to nobody else.
fn assert_token_is_kept(fixture: &Fixture) {
    let requests = fixture.server.requests();
    assert!(requests.iter().any(|request| request.header("host").unwrap().starts_with("localhost:")));
    for request in requests {
        let is_hub = request.header("host").unwrap().starts_with("127.0.0.1:");
        let expected = is_hub.then_some("Bearer hf_token");
        assert_eq!(request.header("authorization"), expected, "{request:?}");
    }
}

#[test]
fn token_stays_with_the_hub() {
    let fixture = Fixture::new(|_, reply| reply);
    fixture.assert_complete(&fetch_with_token(&fixture).unwrap());
    assert_token_is_kept(&fixture);

    // Another port is another server.
    let other = Fixture::new(|_, reply| reply);
    let location = format!("{}/cdn/{}?signature=secret", other.server.url(), etag(LARGE));
    let fixture = Fixture::new(move |_, reply| match reply.status {
        302 => reply.header("Location", &location),
        _ => reply,
    });
    fixture.assert_complete(&fetch_with_token(&fixture).unwrap());
    assert_eq!(other.server.requests().len(), 1);
    assert_eq!(other.server.requests()[0].header("authorization"), None);
}

#[test]
fn token_is_not_shown() {
    let fixture = Fixture::new(|_, _| Reply::new(401));
    let hub = fixture.hub_with(&[("HF_TOKEN", TOKEN)], PATIENCE);
    assert!(!format!("{hub:?}").contains(TOKEN));
    let error = fetch_with_token(&fixture).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(TOKEN));

    let hub = fixture.hub_with(&[("HF_TOKEN", "two\nlines")], PATIENCE);
    let error = hub.fetch(REPOSITORY, &[LARGE], &[], &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::Token), "{error}");
    // The cache does not hide what has to be corrected.
    let fixture = Fixture { folder: fixture.folder, ..Fixture::new(|_, reply| reply) };
    fixture.fetch_large().unwrap();
    let hub = fixture.hub_with(&[("HF_TOKEN", "two\nlines")], PATIENCE);
    let error = hub.fetch(REPOSITORY, &[LARGE], &[], &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::Token), "{error}");
}

#[test]
fn token_is_found_in_the_home_folder() {
    let fixture = Fixture::new(|_, reply| reply);
    std::fs::write(fixture.folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    assert_token_is_kept(&fixture);

    // Somebody may not want it to be sent without being asked.
    let before = fixture.server.requests().len();
    fixture.hub_with(&[("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")], PATIENCE).list(REPOSITORY).unwrap();
    assert_eq!(fixture.server.requests()[before].header("authorization"), None);
}

#[test]
fn relative_redirects() {
    // The Hub's answer for a repository that has a new name, in each form that an address can have.
    let moved = |to: &'static str| {
        move |request: &crate::server::Request, _: Reply| match request.path.strip_prefix("/old") {
            Some("") | None => crate::fake_hub::answer(request),
            Some(rest) => Reply::new(307).header("Location", to.replace('*', rest)),
        }
    };
    for to in ["*", "//127.0.0.1:PORT*", "http://127.0.0.1:PORT*"] {
        let port = std::sync::Arc::new(std::sync::OnceLock::new());
        let known = std::sync::Arc::clone(&port);
        let fixture = Fixture::new(move |request, reply| {
            let answer = moved("*")(request, reply);
            let Some(location) = answer.headers.get("Location").cloned().filter(|_| answer.status == 307) else {
                return answer;
            };
            let port: &u16 = known.get().unwrap();
            answer.header("Location", to.replace("PORT", &port.to_string()).replace('*', &location))
        });
        port.set(fixture.server.port).unwrap();
        let endpoint = format!("{}/old/", fixture.server.url());
        let hub = fixture.hub_with(&[("HF_ENDPOINT", &endpoint), ("HF_TOKEN", TOKEN)], PATIENCE);
        fixture.assert_complete(&hub.fetch(REPOSITORY, &["config.json", LARGE], &[], &mut |_| {}).unwrap());
        assert_token_is_kept(&fixture);
    }

    // Contents on the Hub itself, relative to the address of the file.
    let location = format!("../../../../cdn/{}?signature=secret", etag(LARGE));
    let fixture = Fixture::new(move |_, reply| match reply.status {
        302 => reply.header("Location", &location),
        _ => reply,
    });
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    assert!(fixture.server.requests().iter().all(|request| request.header("host").unwrap().starts_with("127.0.0.1")));
}

#[test]
fn redirects_that_lead_nowhere() {
    for (location, problem) in [
        ("/somewhere", "its redirects do not end"),
        ("ftp://127.0.0.1/x", "it redirects to what is no address"),
        ("http://", "it redirects to what is no address"),
        ("http://a b/", "it redirects to what is no address"),
    ] {
        let fixture = Fixture::new(move |_, _| Reply::new(302).header("Location", location));
        let error = fixture.fetch_large().unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let fixture = Fixture::new(|_, reply| reply);
    let error = fixture.hub().fetch("owner/nane", &[LARGE], &[], &mut |_| {}).unwrap_err();
    let expected = format!("{} has no repository 'owner/nane'; check the name", fixture.server.url());
    assert_eq!(error.to_string(), expected);
    assert_eq!(fixture.hub().list("owner/nane").unwrap_err().to_string(), expected);
    // Nothing is fetched if something is missing.
    let error = fixture.hub().fetch(REPOSITORY, &[LARGE, "pytorch_model.bin"], &[], &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("the repository 'owner/name' has no file 'pytorch_model.bin'"), "{error}");
    assert!(fixture.server.starts().is_empty());

    // Listed and not there.
    let fixture = Fixture::new(|request, reply| if request.path.contains(COMMIT) { Reply::new(404) } else { reply });
    let error = fixture.fetch_large().unwrap_err();
    assert!(matches!(&error, FetchError::NoFile { file, .. } if file == LARGE), "{error}");
}

#[test]
fn private_and_gated_repositories() {
    // As the Hub answers for private and unknown ones, before and after the list of files.
    for part in ["/api/", "/resolve/"] {
        for (status, words) in [(401, "that everyone may read"), (403, "accept its terms at")] {
            let fixture = Fixture::new(move |request, reply| {
                let is_open = request.header("authorization") == Some("Bearer hf_token");
                if is_open || !request.path.contains(part) { reply } else { Reply::new(status) }
            });
            let error = fixture.fetch_large().unwrap_err().to_string();
            assert!(error.contains(words) && error.contains(REPOSITORY) && error.contains("HF_TOKEN"), "{error}");
            // Asked once: it will not change its mind.
            assert_eq!(fixture.server.requests().iter().filter(|request| request.path.contains(part)).count(), 1);
            fixture.assert_complete(&fetch_with_token(&fixture).unwrap());
        }
    }
}

#[test]
fn names_that_cannot_be() {
    let fixture = Fixture::new(|_, reply| reply);
    for name in ["", "/", "a/b/c", "../x", "a/..", "a//b", "a b", "a\\b", "a--b", "a/b?x", "a/b#x", "ä"] {
        let error = fixture.hub().fetch(name, &[], &[], &mut |_| {}).unwrap_err();
        assert!(matches!(error, FetchError::RepositoryName { .. }), "{name}: {error}");
        assert_eq!(fixture.hub().cached(name), None);
    }
    for name in ["", "../x", "/etc/passwd", "a/../../x", "a\\b", "C:x"] {
        let error = fixture.hub().fetch(REPOSITORY, &[], &[name], &mut |_| {}).unwrap_err();
        assert!(matches!(error, FetchError::FileName { .. }), "{name}: {error}");
    }
    for endpoint in ["huggingface.co", "ftp://x", "http://", "http:///x", "?"] {
        let hub = fixture.hub_with(&[("HF_ENDPOINT", endpoint)], PATIENCE);
        let error = hub.fetch(REPOSITORY, &[], &[], &mut |_| {}).unwrap_err();
        assert!(matches!(error, FetchError::Address { .. }), "{endpoint}: {error}");
    }
    assert!(fixture.server.requests().is_empty());
}
