//! Ctrl-C and SIGTERM: what is being done is finished in order, and the program ends with the signal's status.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    time::{Duration, Instant},
};

/// The signal that was heard, and 0 before.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
/// Whether work was broken off because of it.
static CUT_SHORT: AtomicBool = AtomicBool::new(false);

/// Takes note that work was broken off because of the signal.
pub(crate) fn cut_short() {
    CUT_SHORT.store(true, Ordering::Relaxed);
}

/// The status to end with if work was broken off: 130 after Ctrl-C, 143 after SIGTERM.
pub(crate) fn status() -> Option<u8> {
    let signal = SIGNAL.load(Ordering::Relaxed);
    CUT_SHORT.load(Ordering::Relaxed).then(|| 128 + u8::try_from(signal).unwrap_or(2))
}

/// A flag that the first signal sets; a second one ends the program at once.
pub(crate) fn listen() -> Arc<AtomicBool> {
    let stop = Arc::default();
    listen_for(&stop);
    stop
}

/// Has the first signal set a flag, and a second one end the program at once.
pub(crate) fn listen_for(stop: &Arc<AtomicBool>) {
    let (flag, mut first) = (stop.clone(), None::<Instant>);
    hear(move |signal| {
        // One press can arrive twice, from the terminal and from whoever started us.
        if first.is_some_and(|first| first.elapsed() > Duration::from_millis(300)) {
            end(signal);
        }
        first.get_or_insert_with(Instant::now);
        heard(signal, &flag);
    });
}

/// Has the first signal end the program, with nothing left of what it was writing: for work that is worth nothing until
/// it is whole.
pub(crate) fn end_cleanly() {
    hear(end);
}

fn end(signal: i32) {
    gptune_files::abandon();
    std::process::exit(128 + signal);
}

/// Has `what` called with the number of each signal.
fn hear(what: impl FnMut(i32) + Send + 'static) {
    if let Err(error) = try_hear(what) {
        crate::console::note(&format!("warning: Ctrl-C will end the program at once ({error})"));
    }
}

#[cfg(unix)]
fn try_hear(what: impl FnMut(i32) + Send + 'static) -> std::io::Result<()> {
    use signal_hook::{consts, iterator::Signals};

    let mut signals = Signals::new([consts::SIGINT, consts::SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || signals.forever().for_each(what))?;
    Ok(())
}

#[cfg(not(unix))]
fn try_hear(mut what: impl FnMut(i32) + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || what(2))
}

fn heard(signal: i32, stop: &AtomicBool) {
    if !stop.swap(true, Ordering::Relaxed) {
        SIGNAL.store(signal, Ordering::Relaxed);
        crate::console::note("\nstopping as soon as what is at hand is done; press Ctrl-C again to stop at once");
    }
}
