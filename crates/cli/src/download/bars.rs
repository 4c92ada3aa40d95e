//! What a person sees of downloads and checks.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use gptune_fetch::{Activity, Progress};
use indicatif::{ProgressBar, ProgressStyle};

/// A check that is done sooner has no bar.
const NOTICEABLE: Duration = Duration::from_millis(400);

/// A bar for each file, one after the other.
#[derive(Default)]
pub(super) struct Bars {
    /// The file, what is done with it, and since when.
    current: Option<(String, Activity, Instant)>,
    bar: Option<ProgressBar>,
    /// Whether anything came from a server.
    pub received: bool,
}

impl Bars {
    pub(super) fn show(&mut self, Progress { file, activity, bytes, total }: Progress<'_>) {
        self.received |= activity == Activity::Receiving;
        let start = match &self.current {
            Some((known, of, start)) if known == file && *of == activity => *start,
            _ => {
                self.finish();
                let start = Instant::now();
                self.current = Some((file.to_owned(), activity, start));
                start
            }
        };
        if activity == Activity::Checking && start.elapsed() < NOTICEABLE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let template = "{msg}  {bar:32} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let name = Path::new(file).file_name().map_or_else(|| file.into(), |name| name.to_string_lossy());
            let name = if activity == Activity::Checking { format!("checking {name}") } else { name.into_owned() };
            let bar = ProgressBar::no_length().with_style(style).with_message(name);
            // The speed is that of this download, and not of what an earlier one left.
            bar.reset_eta();
            bar
        });
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(bytes);
    }

    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.finish();
    }
}
