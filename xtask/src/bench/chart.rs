//! The curves over sessions, as a picture.

use std::fmt::Write;

use super::group::Spread;
use super::report::Measured;
use super::station::Unit;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 320.0;
/// Room for words.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 50.0;

/// Light and dark pages both show these.
const COLOURS: [&str; 3] = ["#2a78d6", "#d9660a", GREY];
const GREY: &str = "#808080";

/// A curve: sessions, and microseconds of processor time for a message.
#[derive(Debug)]
pub(super) struct Curve {
    name: String,
    points: Vec<(f64, Spread)>,
}

/// The curve of a group whose contenders are named by their sessions; nothing if none was measured.
pub(super) fn curve(group: &Measured) -> Option<Curve> {
    let points: Vec<_> = group
        .seen
        .iter()
        .filter_map(|seen| Some((seen.name.parse().ok()?, Spread::of(seen.figures(Unit::Cpu))?)))
        .collect();
    (points.len() > 1).then(|| Curve { name: group.name.into(), points })
}

/// An SVG with sessions on a logarithmic axis.
pub(super) fn svg(curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let most = points().map(|(_, spread)| spread.most).fold(1.0, f64::max) * 1.1;
    let widest = points().map(|(sessions, _)| *sessions).fold(10.0, f64::max);
    // One more, so that none has a place too.
    let place =
        |sessions: f64| LEFT + (WIDTH - LEFT - RIGHT) * (sessions + 1.0).log10() / (widest + 1.0).log10();
    let height = |figure: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * figure / most;

    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\" role=\"img\">\n<title>Processor time of the server for one message, over the number of its \
         sessions</title>\n"
    );
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    for step in 0..=4 {
        let figure = most * f64::from(step) / 4.0;
        let y = height(figure);
        line(format!(
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"{GREY}\" stroke-opacity=\"0.3\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{GREY}\">{figure:.1}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0
        ));
    }
    for sessions in [0.0, 1.0, 10.0, 100.0, 1000.0, 10_000.0] {
        if sessions <= widest {
            line(format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{GREY}\">{sessions}</text>",
                place(sessions),
                HEIGHT - BOTTOM + 20.0
            ));
        }
    }
    line(format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{GREY}\">sessions</text>\
         <text x=\"{LEFT}\" y=\"16\" fill=\"{GREY}\">µs of processor time for a message, median and range</text>",
        WIDTH / 2.0,
        HEIGHT - 8.0
    ));
    for (number, (curve, colour)) in curves.iter().zip(COLOURS).enumerate() {
        let mut path = String::new();
        for (sessions, spread) in &curve.points {
            let (x, y) = (place(*sessions), height(spread.median));
            let _ = write!(path, "{x:.1},{y:.1} ");
            line(format!(
                "<line x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" \
                 stroke-opacity=\"0.5\"/><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>",
                height(spread.least),
                height(spread.most)
            ));
        }
        line(format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.trim()
        ));
        line(format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
            WIDTH - RIGHT,
            16.0 + 16.0 * number as f64,
            curve.name
        ));
    }
    text.push_str("</svg>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::group::Seen;

    #[test]
    fn a_curve_becomes_a_picture() {
        let seen = |name, figure| Seen { name, samples: vec![vec![(Unit::Cpu, figure)]], fault: None };
        let group = |seen| Measured { name: "curve", pinned: true, seen, goals: Vec::new() };
        assert!(curve(&group(vec![seen("1", 5.0)])).is_none());
        let drawn = svg(&[curve(&group(vec![seen("0", 5.0), seen("1000", 6.0)])).unwrap()]);
        assert_eq!(drawn.matches("<circle").count(), 2, "{drawn}");
        assert!(drawn.ends_with("</svg>\n") && !drawn.contains("NaN"), "{drawn}");
    }
}
