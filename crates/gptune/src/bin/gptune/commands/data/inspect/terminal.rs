//! Entries in a terminal, in colours or with brackets.

use std::io::{IsTerminal, stdout};

use anyhow::Result;
use gptune::text::on_a_line;
use gptune_data::{Span, SpanKind};

use super::Entry;
use crate::{
    args::Colour,
    console::{print, print_line},
};

pub(super) struct Terminal {
    colours: bool,
}

/// What terminals take for the beginning of a manner of writing (SGR), and for its end.
const BOLD: &str = "\x1b[1m";
const END: &str = "\x1b[0m";

impl Terminal {
    pub(super) fn new(colour: Colour) -> Self {
        let colours = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                stdout().is_terminal() && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|of| of != "dumb")
            }
        };
        Self { colours }
    }

    pub(super) fn print(&self, data: &str, about: &str, entries: &[Entry]) -> Result<()> {
        print_line(format_args!("{}. {about}", on_a_line(data)))?;
        print_line(self.legend())?;
        for entry in entries {
            let heading = on_a_line(&entry.heading());
            let heading = if self.colours { format!("{BOLD}{heading}{END}") } else { heading };
            print_line(format_args!("\n{heading}"))?;
            for said in entry.problem.iter().chain(&entry.note) {
                print_line(format_args!("  {}", on_a_line(said)))?;
            }
            let text = self.marked(&entry.spans);
            if !text.is_empty() {
                print(format_args!("{text}{}", if text.ends_with('\n') { "" } else { "\n" }))?;
            }
        }
        Ok(())
    }

    fn legend(&self) -> String {
        let span = |text: &str, kind, trained| Span { text: text.to_owned(), kind, trained, ids: Vec::new() };
        let samples = [
            span("trained", SpanKind::Trained, true),
            span("read only", SpanKind::Context, false),
            span("cut by --max-length", SpanKind::Cut, false),
            span("special token", SpanKind::Special, false),
            span("trained special token", SpanKind::Special, true),
        ];
        samples.map(|sample| self.marked(&[sample])).join("  ")
    }

    /// The text of spans, each with its marks.
    fn marked(&self, spans: &[Span]) -> String {
        let mut text = String::new();
        for (place, span) in spans.iter().enumerate() {
            let shown = shown(&span.with_blanks());
            if self.colours {
                coloured(&mut text, &shown, colour(span));
                continue;
            }
            // Brackets go around all neighbours that are trained, special tokens among them.
            let is_trained = |other: Option<&Span>| other.is_some_and(|other| other.trained);
            if span.trained && !is_trained(place.checked_sub(1).and_then(|before| spans.get(before))) {
                text.push('⟦');
            }
            match span.kind {
                SpanKind::Context | SpanKind::Trained => text.push_str(&shown),
                SpanKind::Cut => text.extend(["✂", &shown, "✂"]),
                SpanKind::Special => text.extend(["⟪", &shown, "⟫"]),
            }
            if span.trained && !is_trained(spans.get(place + 1)) {
                text.push('⟧');
            }
        }
        text
    }
}

/// Green is trained, red and struck out is cut, special tokens stand on a ground of their own.
fn colour(span: &Span) -> &'static str {
    match (span.kind, span.trained) {
        (SpanKind::Context, _) => "\x1b[2m",
        (SpanKind::Trained, _) => "\x1b[32m",
        (SpanKind::Cut, _) => "\x1b[9;31m",
        (SpanKind::Special, true) => "\x1b[7;32m",
        (SpanKind::Special, false) => "\x1b[2;7m",
    }
}

/// Adds a text in a colour, which pagers forget at the end of a line.
fn coloured(to: &mut String, text: &str, colour: &str) {
    for line in text.split_inclusive('\n') {
        let (own, end) = line.strip_suffix('\n').map_or((line, ""), |own| (own, "\n"));
        if !own.is_empty() {
            to.extend([colour, own, END]);
        }
        to.push_str(end);
    }
}

/// A text of the data, which a terminal must not take for commands.
fn shown(text: &str) -> String {
    let escaped = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}
