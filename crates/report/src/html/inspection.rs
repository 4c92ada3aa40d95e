//! What is trained of some entries.

use maud::{Markup, html};

use super::{frame::Frame, text::Shown};
use crate::inspection::{InspectedEntry, InspectedPart, Inspection, PartKind};

pub(crate) fn page(inspection: &Inspection) -> String {
    let frame = Frame {
        sort: "gptune data inspect",
        heading: &inspection.data,
        about: html! { p.about dir="auto" { (Shown(&inspection.about)) } },
        version: &inspection.version,
        style: include_str!("inspection/style.css"),
        opening: legend(),
        sections: vec![("Entries", "entries", Some(entries(&inspection.entries)))],
    };
    frame.to_html()
}

/// How to read the marks.
fn legend() -> Markup {
    let sample = |text: &str, kind, trained, meaning: &str| {
        let drawn = part(&InspectedPart { text: text.to_owned(), kind, trained }, false);
        html! { li { span.tokens { (drawn) } " " (meaning) } }
    };
    html! {
        section #legend aria-labelledby="legend-heading" {
            h2.hidden id="legend-heading" { "How to read it" }
            ul.marks {
                (sample("underlined", PartKind::Trained, true, "is trained"))
                (sample("plain", PartKind::Context, false, "is read and not trained"))
                (sample("struck out", PartKind::Cut, false, "is cut by --max-length"))
                (sample("boxed", PartKind::Special, false, "is a special token"))
                (sample("boxed", PartKind::Special, true, "is one that is trained"))
            }
        }
    }
}

fn entries(entries: &[InspectedEntry]) -> Markup {
    html! {
        @if entries.is_empty() { p.nothing { "There is no entry." } }
        @for (index, entry) in entries.iter().enumerate() {
            article.entry aria-labelledby={ "entry-" (index) } {
                h3 id={ "entry-" (index) } { (Shown(&entry.heading)) }
                @for said in entry.problem.iter().chain(&entry.note) { p.warning dir="auto" { (Shown(said)) } }
                @if !entry.parts.is_empty() {
                    div.tokens dir="auto" { @for one in &entry.parts { (part(one, true)) } }
                }
            }
        }
    }
}

/// A part with its marks, in words for those who hear the page.
fn part(part: &InspectedPart, spoken: bool) -> Markup {
    let InspectedPart { text, kind, trained } = part;
    let said = |words: &str| html! { @if spoken { span.hidden { (words) } } };
    html! {
        @match (kind, trained) {
            (PartKind::Context, _) => { span { (Shown(text)) } }
            (PartKind::Trained, _) => { mark.trained { (said("(trained:) ")) (Shown(text)) (said(" (end of trained)")) } }
            (PartKind::Cut, _) => { del.cut { (said("(cut:) ")) (Shown(text)) (said(" (end of cut)")) } }
            (PartKind::Special, true) => { mark.trained.special { (said("(trained token) ")) (Shown(text)) } }
            (PartKind::Special, false) => { span.special { (said("(token) ")) (Shown(text)) } }
        }
    }
}
