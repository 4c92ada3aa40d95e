//! The comparison of runs in a browser. Pictures of it are left beside those of the run report.

use resvg::tiny_skia::PremultipliedColorU8;

use crate::{
    browser::{Scheme, between, fetched_by, folder, framed, picture, widths_on_a_phone, written},
    chromium,
    comparison_sample::{four, twelve},
};

#[test]
#[ignore = "needs Chromium; cargo xtask ci installs it"]
fn nothing_is_fetched() {
    assert_eq!(fetched_by(&folder("comparison-fetched"), &four().to_html()), "");
}

#[test]
#[ignore = "needs Chromium; cargo xtask ci installs it"]
fn the_page_is_no_wider_than_a_phone() {
    for (name, comparison) in [("four", four()), ("twelve", twelve())] {
        let widths = widths_on_a_phone(&folder(&format!("comparison-phone-{name}")), &comparison.to_html());
        assert!(widths.starts_with("360 of 360, "), "{name}: {widths}");
    }
}

#[test]
#[ignore = "needs Chromium; cargo xtask ci installs it"]
fn every_letter_is_within_its_figure_and_apart_from_the_others() {
    const SCRIPT: &str = "<script>addEventListener('load', () => {
        const box = element => element.getBoundingClientRect();
        const outside = [...document.querySelectorAll('figure')].flatMap(figure =>
            [...figure.querySelectorAll('text.letter')].filter(letter =>
                box(letter).right > box(figure).right || box(letter).top < box(figure).top));
        const covered = [...document.querySelectorAll('.labels')].flatMap(labels => {
            const letters = [...labels.querySelectorAll('text')].map(box);
            return letters.filter((one, index) => letters.slice(index + 1).some(other =>
                Math.abs(one.left - other.left) < 8 && Math.abs(one.top - other.top) < 11));
        });
        document.body.dataset.letters = `${outside.length} outside, ${covered.length} covered`;
    })</script></body>";
    let folder = folder("comparison-letters");
    let page = twelve().to_html().replace("http-equiv=\"Content-Security-Policy\"", "name=\"policy\"");
    let dom = chromium::dom(&written(&folder, &page.replace("</body>", SCRIPT)));
    assert_eq!(between(&dom, "data-letters=\"", "\""), "0 outside, 0 covered");
}

#[test]
#[ignore = "needs Chromium; cargo xtask ci installs it"]
fn pictures_on_wide_and_narrow_screens_in_light_and_dark() {
    for (which, comparison) in [("four", four()), ("twelve", twelve())] {
        let folder = folder(&format!("comparison-{which}"));
        let page = written(&folder, &comparison.to_html());
        let phone = framed(&folder, 4200);
        for scheme in [Scheme::Light, Scheme::Dark] {
            for (page, name, size) in [(&page, "wide", (1200, 3400)), (&phone, "narrow", (500, 4200))] {
                let picture = picture(page, &format!("{name}-{scheme:?}").to_lowercase(), size, scheme);
                let ground = picture.pixel(1, 1).map(PremultipliedColorU8::red);
                assert_eq!(ground, Some(if scheme == Scheme::Dark { 0x14 } else { 0xf8 }), "{name} {scheme:?}");
                // Four of the lines are drawn in their colours.
                let colours = if scheme == Scheme::Dark {
                    [(0x82, 0xb4), (0xf2, 0xa2), (0x5f, 0xd0), (0xee, 0x93)]
                } else {
                    [(0x1d, 0x5f), (0xb2, 0x4a), (0x0b, 0x73), (0xa3, 0x24)]
                };
                for (red, green) in colours {
                    let inked = picture.pixels().iter().filter(|pixel| (pixel.red(), pixel.green()) == (red, green));
                    assert!(inked.count() > 100, "{which} {name} {scheme:?}: {red:x} {green:x}");
                }
            }
        }
    }
}
