//! Connections that break.

use std::{collections::BTreeSet, fs, sync::Mutex, time::Duration};

use gptune_fetch::{FetchError, Patience};

use crate::{
    fake_hub::{Fixture, LARGE, PATIENCE, REPOSITORY, SIZE, large},
    server::Reply,
};

#[test]
fn continues_where_the_connection_broke() {
    for cut in [0, 1, 1023, 65_536, 65_537, SIZE - 1] {
        let fixture = Fixture::with_contents(move |count, _, reply| match count {
            0 => Reply { cut: Some(cut), ..reply },
            _ => reply,
        });
        let mut seen = Vec::new();
        let snapshot = fixture.hub().fetch(REPOSITORY, &[LARGE], &[], &mut |progress| {
            assert_eq!((progress.file, progress.total), (LARGE, Some(SIZE as u64)));
            seen.push(progress.bytes);
        });
        fixture.assert_complete(&snapshot.unwrap());
        assert_eq!(fixture.server.starts(), [None, Some(cut).filter(|&cut| cut > 0)], "{cut}");
        assert!(seen.is_sorted() && seen[0] == 0 && seen.last() == Some(&(SIZE as u64)), "{seen:?}");
    }
}

#[test]
fn breaks_often_and_still_ends() {
    // More often than a server may fail in a row: each time it got further.
    let fixture = Fixture::with_contents(|_, _, reply| Reply { cut: Some(20_000), ..reply });
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    let starts: Vec<_> = (0..=SIZE / 20_000).map(|part| Some(part * 20_000).filter(|&start| start > 0)).collect();
    assert_eq!(fixture.server.starts(), starts);
}

#[test]
fn gives_up_when_it_gets_no_further() {
    let fixture =
        Fixture::with_contents(|count, _, reply| Reply { cut: Some(if count == 0 { 5000 } else { 0 }), ..reply });
    let error = fixture.fetch_large().unwrap_err();
    assert!(matches!(error, FetchError::Broken { .. }), "{error}");
    assert!(error.to_string().starts_with("the connection to localhost:"), "{error}");
    // The attempt that got further, and as many as may fail in a row less that one.
    assert_eq!(fixture.server.starts(), [None, Some(5000), Some(5000), Some(5000)]);
    fixture.assert_absent();
    assert_eq!(fs::read(fixture.partial()).unwrap(), &large()[..5000]);
}

#[test]
fn continues_what_an_earlier_run_left() {
    for length in [0, 1, 70_000, SIZE - 1] {
        let fixture = Fixture::with_contents(|_, _, reply| reply);
        fixture.leave(&large()[..length]);
        fixture.assert_complete(&fixture.fetch_large().unwrap());
        assert_eq!(fixture.server.starts(), [Some(length).filter(|&length| length > 0)]);
    }
    // All of it: only the name was missing.
    let fixture = Fixture::with_contents(|_, _, reply| reply);
    fixture.leave(large());
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    assert!(fixture.server.starts().is_empty());
}

#[test]
fn begins_again_after_damage_of_its_own() {
    for (left, starts) in
        [(vec![7; 1000], vec![Some(1000), None]), (vec![7; SIZE], vec![None]), (vec![7; SIZE + 1], vec![None])]
    {
        let fixture = Fixture::with_contents(|_, _, reply| reply);
        fixture.leave(&left);
        fixture.assert_complete(&fixture.fetch_large().unwrap());
        assert_eq!(fixture.server.starts(), starts);
    }
}

#[test]
fn server_without_ranges_begins_again() {
    let fixture = Fixture::with_contents(|count, _, _| Reply {
        body: large().to_vec(),
        cut: (count == 0).then_some(100_000),
        ..Reply::new(200)
    });
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    assert_eq!(fixture.server.starts(), [None, Some(100_000)]);

    // If it always breaks at the same place, that is no progress.
    let fixture =
        Fixture::with_contents(|_, _, _| Reply { body: large().to_vec(), cut: Some(100_000), ..Reply::new(200) });
    assert!(matches!(fixture.fetch_large(), Err(FetchError::Broken { .. })));
    assert_eq!(fixture.server.starts().len(), PATIENCE.attempts as usize);
}

#[test]
fn server_with_wrong_ranges_is_asked_for_everything() {
    let fixture = Fixture::with_contents(|_, request, reply| match request.start() {
        Some(start) => reply.header("Content-Range", format!("bytes {}-{}/{SIZE}", start - 1, SIZE - 1)),
        None => reply,
    });
    fixture.leave(&large()[..1000]);
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    assert_eq!(fixture.server.starts(), [Some(1000), None]);

    let fixture = Fixture::with_contents(|_, request, reply| match request.start() {
        Some(_) => Reply::new(416),
        None => reply,
    });
    fixture.leave(&large()[..1000]);
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    assert_eq!(fixture.server.starts(), [Some(1000), None]);
}

#[test]
fn silent_server_is_left_and_asked_again() {
    let patience = Patience { stall: Duration::from_millis(300), ..PATIENCE };
    // In the middle of the contents, and before the headers.
    let fixture = Fixture::with_contents(|count, _, reply| match count {
        0 => Reply { stall: Some(100_000), ..reply },
        1 => {
            std::thread::sleep(Duration::from_secs(2));
            reply
        }
        _ => reply,
    });
    let snapshot = fixture.hub_with(&[], patience).fetch(REPOSITORY, &[LARGE], &[], &mut |_| {});
    fixture.assert_complete(&snapshot.unwrap());
    assert_eq!(fixture.server.starts(), [None, Some(100_000), Some(100_000)]);

    let fixture = Fixture::with_contents(|_, _, reply| Reply { stall: Some(0), ..reply });
    let error = fixture.hub_with(&[], patience).fetch(REPOSITORY, &[LARGE], &[], &mut |_| {}).unwrap_err();
    assert!(matches!(error, FetchError::Stalled { .. }), "{error}");
    fixture.assert_absent();
}

#[test]
fn slow_server_is_not_silent() {
    let patience = Patience { stall: Duration::from_millis(1500), ..PATIENCE };
    let fixture = Fixture::with_contents(|_, _, reply| Reply { slow: Duration::from_millis(10), ..reply });
    let snapshot = fixture.hub_with(&[], patience).fetch(REPOSITORY, &[LARGE], &[], &mut |_| {});
    fixture.assert_complete(&snapshot.unwrap());
    assert_eq!(fixture.server.starts(), [None]);
}

#[test]
fn chunks_without_a_length() {
    let fixture = Fixture::with_contents(|count, _, reply| Reply {
        chunked: true,
        cut: (count == 0).then_some(100_000),
        ..reply
    });
    fixture.assert_complete(&fixture.fetch_large().unwrap());
    assert_eq!(fixture.server.starts(), [None, Some(100_000)]);
}

#[test]
fn busy_server_is_asked_again() {
    for status in [500, 503, 429] {
        let fixture = Fixture::with_contents(move |count, _, reply| if count < 3 { Reply::new(status) } else { reply });
        fixture.assert_complete(&fixture.fetch_large().unwrap());

        let fixture = Fixture::with_contents(move |_, _, _| Reply::new(status));
        let error = fixture.fetch_large().unwrap_err();
        assert!(error.to_string().ends_with(&format!("is status {status}; try again later")), "{error}");
        // The signature in the address is nobody's business.
        assert!(!error.to_string().contains("secret"), "{error}");
        assert_eq!(fixture.server.starts().len(), PATIENCE.attempts as usize);
        fixture.assert_absent();
    }
    // The list of files and the headers too: each thing works the second time.
    let seen = Mutex::new(BTreeSet::new());
    let fixture = Fixture::new(move |request, reply| {
        let is_new = seen.lock().unwrap().insert(format!("{} {}", request.method, request.path));
        if is_new { Reply::new(502) } else { reply }
    });
    fixture.assert_complete(&fixture.fetch_large().unwrap());
}
