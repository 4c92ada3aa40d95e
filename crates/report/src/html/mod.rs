//! The run report: one page without a script, a picture or a font from anywhere else.
//!
//! What a browser may do with the page stands in its head: nothing may be fetched and nothing may run, whatever the
//! texts in it say. Texts of the run enter through [`text`] only.

mod answers;
mod curve;
mod number;
mod run;
mod scores;
mod summary;
mod text;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{facts::Facts, run_report::RunReport};
use text::Shown;

const STYLE: &str = include_str!("style.css");

/// Nothing but the style that stands in the page itself.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

pub(crate) fn page(report: &RunReport) -> String {
    let facts = Facts::from_events(&report.events);
    // Heading, id and content of every section there is something to say in.
    let sections = [
        ("Loss curve", "curve", curve::curve(&facts)),
        ("Scores", "scores", report.scores.as_ref().and_then(scores::scores)),
        ("Samples", "samples", run::samples(&facts)),
        ("The run", "run", Some(run::run(report, &facts))),
        ("Answers", "answers", answers::answers(report)),
    ];
    let sections = || sections.iter().filter_map(|(name, id, content)| Some((name, id, content.as_ref()?)));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content=(Shown(&report.version));
                title { (Shown(&report.title)) " – gptune run report" }
                style { (PreEscaped(STYLE)) (answers::kind_rules(report)) }
            }
            body {
                (text::marks())
                header {
                    p.kicker { "gptune run report" }
                    h1 dir="auto" { (Shown(&report.title)) }
                    p.about {
                        span dir="auto" { (Shown(&report.model)) }
                        " on " span dir="auto" { (Shown(&report.data.name)) }
                        @if !report.started.is_empty() { ", " span dir="auto" { (Shown(&report.started)) } }
                    }
                    nav aria-label="Sections" {
                        @for (name, id, _) in sections() { a href={ "#" (id) } { (name) } }
                    }
                }
                main {
                    (summary::summary(report, &facts))
                    @for (name, id, content) in sections() {
                        section id=(id) aria-labelledby={ (id) "-heading" } {
                            h2 id={ (id) "-heading" } { (name) }
                            (content)
                        }
                    }
                }
                footer { p { (Shown(&report.version)) ". This page is complete in itself and fetches nothing." } }
            }
        }
    };
    page.into_string() + "\n"
}

/// A table that scrolls in its own box where the screen is too narrow for it, reachable by keyboard.
fn scrolling(label: &str, table: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(Shown(label)) tabindex="0" { (table) } }
}

/// Something folded away until it is asked for; printing unfolds it.
fn folded(title: &str, open: bool, content: &Markup) -> Markup {
    html! { details open[open] { summary { (Shown(title)) } div.folded { (content) } } }
}
