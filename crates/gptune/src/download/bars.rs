//! What a person sees of downloads and checks.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use gptune_fetch::{Activity, Progress};

use crate::{Voice, Work, voice};

/// A check that is done sooner has no bar.
const NOTICEABLE: Duration = Duration::from_millis(400);

/// A bar for each file, one after the other.
pub(super) struct Bars<'a> {
    pub voice: &'a dyn Voice,
    /// The file, what is done with it, and since when.
    current: Option<(String, Activity, Instant)>,
    bar: Option<Box<dyn voice::Progress>>,
    /// Whether anything came from a server.
    pub received: bool,
}

impl<'a> Bars<'a> {
    pub(super) fn new(voice: &'a dyn Voice) -> Self {
        Self { voice, current: None, bar: None, received: false }
    }

    pub(super) fn show(&mut self, Progress { file, activity, bytes, total }: Progress<'_>) {
        self.received |= activity == Activity::Receiving;
        let start = match &self.current {
            Some((known, of, start)) if known == file && *of == activity => *start,
            _ => {
                self.bar = None;
                let start = Instant::now();
                self.current = Some((file.to_owned(), activity, start));
                start
            }
        };
        if activity == Activity::Checking && start.elapsed() < NOTICEABLE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let name = Path::new(file).file_name().map_or_else(|| file.into(), |name| name.to_string_lossy());
            let name = if activity == Activity::Checking { format!("checking {name}") } else { name.into_owned() };
            self.voice.progress(Work::Bytes(&name))
        });
        bar.set(bytes, total);
    }
}
