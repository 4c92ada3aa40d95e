//! The inspection of data as a page, as text and in a browser. Pictures of it are left beside those of the run report.

use gptune_report::{InspectedEntry, InspectedPart, Inspection, PartKind};
use resvg::tiny_skia::PremultipliedColorU8;

const LONG: &str = "https://example.org/a-word-that-is-wider-than-any-telephone-and-has-no-place-to-be-broken-at-all";

fn part(text: &str, kind: PartKind) -> InspectedPart {
    InspectedPart { text: text.to_owned(), kind, trained: kind == PartKind::Trained }
}

/// Two entries in the manner of the sample data, one that cannot be used, and one with hostile texts.
fn inspection() -> Inspection {
    let context = "Below is an instruction that describes a task. Write a response that appropriately completes the \
        request.\n\n### Instruction:\nEvaluate the following phrase by transforming it into the spelling given.\n\n\
        ### Input:\nfreind --> friend";
    let end = InspectedPart { trained: true, ..part("<|endoftext|>", PartKind::Special) };
    let answered = vec![
        part(context, PartKind::Context),
        part("⏎\n⏎\n### Response:\nThe spelling of the given phrase \"freind\" is incorrect.", PartKind::Trained),
        end,
    ];
    let cut = vec![
        part("<|user|>\nWhat is an antonym of 'complicated'?", PartKind::Context),
        part("<|endoftext|>", PartKind::Special),
        part("\n<|assistant|>\n", PartKind::Context),
        part("\t- simple\n\t- easy", PartKind::Trained),
        part(&format!(", as {LONG} has it<|endoftext|>"), PartKind::Cut),
    ];
    let entry = |heading: &str, parts| InspectedEntry { heading: heading.to_owned(), parts, ..Default::default() };
    let problem = Some("'output' is a number, expected a string".to_owned());
    Inspection {
        version: "gptune 0.1.0".to_owned(),
        data: "the built-in sample data".to_owned(),
        about: "With the template book, the answers are trained, up to 1024 tokens.".to_owned(),
        entries: vec![
            entry("entry 0: 65 tokens, 17 trained", answered),
            entry("entry 1: 52 tokens, 8 trained, 30 cut", cut),
            InspectedEntry { problem, ..entry("entry 2: cannot be used", Vec::new()) },
            InspectedEntry {
                note: Some("nothing of it would be trained".to_owned()),
                ..entry(
                    "entry 3: 9 tokens, 0 trained",
                    vec![part("</div><script>alert(1)</script>", PartKind::Context)],
                )
            },
        ],
    }
}

#[test]
fn each_mark_is_more_than_a_colour() {
    let page = inspection().to_html();
    assert!(
        page.contains("<mark class=\"trained\"><span class=\"hidden\">(trained:) </span>⏎\n⏎\n### Response:"),
        "{page}"
    );
    assert!(
        page.contains(
            "<mark class=\"trained special\"><span class=\"hidden\">(trained token) </span>&lt;|endoftext|&gt;"
        )
    );
    assert!(page.contains("<span class=\"special\"><span class=\"hidden\">(token) </span>&lt;|endoftext|&gt;"));
    assert!(page.contains("<del class=\"cut\"><span class=\"hidden\">(cut:) </span>, as https://"));
    assert!(page.contains("&#39;output&#39; is a number, expected a string</p>"));
    assert!(page.contains("aria-labelledby=\"entry-3\"") && page.contains("<h3 id=\"entry-3\">entry 3"));
    for rule in
        [".trained { background: var(--learnt)", "text-decoration: underline solid", "line-through", "border: 1px"]
    {
        assert!(page.contains(rule), "{rule}");
    }
}

#[test]
fn texts_of_the_data_are_no_markup_and_nothing_is_referred_to() {
    let page = inspection().to_html();
    assert!(page.contains("&lt;/div&gt;&lt;script&gt;alert(1)") && !page.contains("<script"));
    assert!(!["src=", "href=\"http", "url(", "@import"].iter().any(|reference| page.contains(reference)));
}

mod browser {
    use super::*;
    use crate::{
        browser::{Scheme, between, fetched_by, folder, framed, picture, widths_on_a_phone, written},
        chromium,
    };

    #[test]
    #[ignore = "needs Chromium; cargo xtask ci installs it"]
    fn nothing_is_fetched_and_nothing_runs() {
        assert_eq!(fetched_by(&folder("inspection-fetched"), &inspection().to_html()), "");
    }

    #[test]
    #[ignore = "needs Chromium; cargo xtask ci installs it"]
    fn the_page_is_no_wider_than_a_phone() {
        let widths = widths_on_a_phone(&folder("inspection-phone"), &inspection().to_html());
        assert!(widths.starts_with("360 of 360, "), "{widths}");
    }

    #[test]
    #[ignore = "needs Chromium; cargo xtask ci installs it"]
    fn what_is_trained_is_what_the_marks_hold() {
        const SCRIPT: &str = "<script>addEventListener('load', () => {
            const own = mark => [...mark.childNodes].filter(node => node.nodeType === 3).map(node => node.data).join('');
            const line = mark => getComputedStyle(mark).textDecorationLine;
            const marks = [...document.querySelectorAll('.entry mark, .entry del')];
            const lines = marks.map(mark => `${mark.localName} ${line(mark)} ${own(mark).length}`);
            document.body.dataset.marks = lines.join(', ');
        })</script></body>";
        let page = inspection().to_html().replace("http-equiv=\"Content-Security-Policy\"", "name=\"policy\"");
        let dom = chromium::dom(&written(&folder("inspection-marks"), &page.replace("</body>", SCRIPT)));
        let marks = between(&dom, "data-marks=\"", "\"");
        assert_eq!(marks, "mark underline 73, mark none 13, mark underline 17, del line-through 121");
    }

    #[test]
    #[ignore = "needs Chromium; cargo xtask ci installs it"]
    fn pictures_on_wide_and_narrow_screens_in_light_and_dark() {
        let folder = folder("inspection");
        let page = written(&folder, &inspection().to_html());
        let phone = framed(&folder, 1700);
        for scheme in [Scheme::Light, Scheme::Dark] {
            for (page, name, size) in [(&page, "wide", (1200, 1100)), (&phone, "narrow", (500, 1700))] {
                let picture = picture(page, &format!("{name}-{scheme:?}").to_lowercase(), size, scheme);
                let ground = picture.pixel(1, 1).map(PremultipliedColorU8::red);
                assert_eq!(ground, Some(if scheme == Scheme::Dark { 0x14 } else { 0xf8 }), "{name} {scheme:?}");
                // What is trained has its ground.
                let learnt = if scheme == Scheme::Dark { (0x1d, 0x3a) } else { (0xd5, 0xec) };
                let inked = picture.pixels().iter().filter(|pixel| (pixel.red(), pixel.green()) == learnt);
                assert!(inked.count() > 2000, "{name} {scheme:?}");
            }
        }
    }
}
