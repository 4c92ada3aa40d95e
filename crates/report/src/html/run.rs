//! What the run was given, what it said on the way, and how to repeat it.

use maud::{Markup, html};

use super::{
    folded, number, scrolling,
    text::{Shown, passage},
};
use crate::{facts::Facts, run_report::RunReport};

/// The continuation after every epoch, unless there is none.
pub(super) fn samples(facts: &Facts<'_>) -> Option<Markup> {
    (!facts.samples.is_empty()).then(|| {
        html! {
            p { "The first validation prompt, continued by the model after every epoch." }
            div.samples {
                @for (epoch, text) in &facts.samples {
                    article.sample-text { h3 { "Epoch " (epoch) } p { (passage(text)) } }
                }
            }
        }
    })
}

/// Data, machine, configuration and the way to the same run.
pub(super) fn run(report: &RunReport, facts: &Facts<'_>) -> Markup {
    let data = &report.data;
    let mut rows = vec![
        ("Model", report.model.clone()),
        ("Data", data.name.clone()),
        (
            "Examples",
            format!(
                "{} training, {} validation, {} test",
                number::count(data.train),
                number::count(data.val),
                number::count(data.test)
            ),
        ),
        ("Fingerprint", data.fingerprint.clone()),
        ("Device", report.device.clone()),
        ("Machine", report.machine.clone()),
        ("Version", report.version.clone()),
        ("Begun", report.started.clone()),
    ];
    if let Some(start) = facts.start {
        let per_epoch = number::count(start.steps_per_epoch);
        let all = number::counted(start.steps, "step");
        rows.push(("Steps", format!("{} of {all}, {per_epoch} an epoch", number::count(facts.batches.len()))));
    }
    rows.retain(|(_, value)| !value.is_empty());
    html! {
        table.facts {
            caption { "Data, machine and version" }
            tbody {
                @for (name, value) in &rows {
                    tr.fact { th scope="row" { (name) } td dir="auto" { (Shown(value)) } }
                }
            }
        }
        @if !data.kinds.is_empty() {
            (folded(&format!("{} of examples", number::counted(data.kinds.len(), "kind")), false, &kinds(&data.kinds)))
        }
        @let configuration = html! { pre #configuration tabindex="0" { code { (Shown(&report.config_toml)) } } };
        (folded("Resolved configuration", false, &configuration))
        @if !report.command.is_empty() {
            h3 { "To repeat this run" }
            p { "The same version takes the same steps with the same data on the same device:" }
            pre #command tabindex="0" { code { (Shown(&report.command)) } }
        }
    }
}

fn kinds(kinds: &[(String, usize)]) -> Markup {
    let table = html! {
        table.numbers {
            caption { "Kinds of examples in the data" }
            thead { tr { th scope="col" { "Kind" } th scope="col" { "Examples" } } }
            tbody {
                @for (kind, examples) in kinds {
                    tr.kind { th scope="row" dir="auto" { (Shown(kind)) } td { (number::count(*examples)) } }
                }
            }
        }
    };
    scrolling("Kinds of examples", &table)
}
