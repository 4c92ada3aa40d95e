//! The run report, the comparison of runs and the inspection of data: each one page without a script, a picture or a font from anywhere else.
//!
//! What a browser may do with a page stands in its head: nothing may be fetched and nothing may run, whatever the
//! texts in it say. Texts of the run enter through [`text`] only.

mod answers;
mod comparison;
mod curve;
mod frame;
mod inspection;
mod number;
mod plot;
mod run;
mod scores;
mod summary;
mod text;

use maud::{Markup, html};

use crate::{facts::Facts, run_report::RunReport};
pub(crate) use comparison::page as comparison;
use frame::Frame;
pub(crate) use inspection::page as inspection;
use text::Shown;

pub(crate) fn page(report: &RunReport) -> String {
    let facts = Facts::from_events(&report.events);
    let about = html! {
        p.about {
            span dir="auto" { (Shown(&report.model)) }
            " on " span dir="auto" { (Shown(&report.data.name)) }
            @if !report.started.is_empty() { ", " span dir="auto" { (Shown(&report.started)) } }
        }
    };
    let frame = Frame {
        sort: "gptune run report",
        heading: &report.title,
        about,
        version: &report.version,
        style: &answers::kind_rules(report),
        opening: summary::summary(report, &facts),
        sections: vec![
            ("Loss curve", "curve", curve::curve(&facts)),
            ("Scores", "scores", report.scores.as_ref().and_then(scores::scores)),
            ("Samples", "samples", run::samples(&facts)),
            ("The run", "run", Some(run::run(report, &facts))),
            ("Answers", "answers", answers::answers(report)),
        ],
    };
    frame.to_html()
}

/// A table that scrolls in its own box where the screen is too narrow for it, reachable by keyboard.
fn scrolling(label: &str, table: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(Shown(label)) tabindex="0" { (table) } }
}

/// Something folded away until it is asked for; printing unfolds it.
fn folded(title: &str, open: bool, content: &Markup) -> Markup {
    html! { details open[open] { summary { (Shown(title)) } div.folded { (content) } } }
}
