//! Charts as inline SVG, drawn so that they can be read on a phone.
//!
//! A chart that is scaled as a whole shrinks its text with it. Here nothing is scaled: the SVG is as wide as its box,
//! horizontal positions are **percent** of it, vertical ones and text are in pixels. Curves, which cannot be given in
//! percent, live in a nested `<svg>` that stretches, under strokes that do not. Colours are CSS classes, so one chart
//! serves light, dark and paper.

pub(crate) mod lines;
pub(crate) mod rows;
pub(crate) mod scale;
pub(crate) mod scatter;

use std::fmt::Write;

/// Number of colours for series that have no colour of their own (`c0` to `c7` in the style sheet).
pub(crate) const N_COLOURS: usize = 8;

/// Text made safe for HTML and SVG, in elements and in attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Where a text stands relative to its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A mark that is told apart by shape as well as by colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// a filled circle
    Dot,
    /// an outlined circle
    Ring,
    /// a filled square
    Square,
}

/// An SVG under construction. `x` is in percent of the width, `y` in pixels; classes name colours and strokes.
pub(crate) struct Svg {
    height: f64,
    /// what follows a vertical number: nothing, or `%` in a strip as high as its box
    y_unit: &'static str,
    body: String,
}

impl Svg {
    pub(crate) fn new(height: f64) -> Self {
        Self { height, y_unit: "", body: String::new() }
    }

    /// An SVG as high as its box, with `y` in percent as well.
    pub(crate) fn filling() -> Self {
        Self { height: 100.0, y_unit: "%", body: String::new() }
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let _ = write!(
            self.body,
            r#"<line class="{class}" x1="{:.2}%" y1="{:.1}{unit}" x2="{:.2}%" y2="{:.1}{unit}"/>"#,
            from.0,
            from.1,
            to.0,
            to.1,
            unit = self.y_unit
        );
    }

    /// A text; `dx` moves it by pixels.
    pub(crate) fn text(&mut self, at: (f64, f64), dx: f64, anchor: Anchor, class: &str, text: &str) {
        let _ = write!(
            self.body,
            r#"<text class="{class}" x="{:.2}%" y="{:.1}{}" dx="{dx}" text-anchor="{}">{}</text>"#,
            at.0,
            at.1,
            self.y_unit,
            anchor.name(),
            escape(text)
        );
    }

    /// A mark with a tooltip.
    pub(crate) fn mark(&mut self, at: (f64, f64), radius: f64, mark: Mark, class: &str, tooltip: &str) {
        let (x, y) = at;
        let title = if tooltip.is_empty() { String::new() } else { format!("<title>{}</title>", escape(tooltip)) };
        let (side, unit) = (2.0 * radius, self.y_unit);
        let _ = match mark {
            Mark::Square => write!(
                self.body,
                r#"<rect class="fill {class}" x="{x:.2}%" y="{y:.1}{unit}" width="{side}" height="{side}" transform="translate(-{radius} -{radius})">{title}</rect>"#
            ),
            Mark::Dot | Mark::Ring => write!(
                self.body,
                r#"<circle class="{} {class}" cx="{x:.2}%" cy="{y:.1}{unit}" r="{radius}">{title}</circle>"#,
                if mark == Mark::Dot { "fill" } else { "ring" }
            ),
        };
    }

    /// Polylines in a box of their own that stretches over the whole SVG; points are shares of width and height.
    pub(crate) fn stretched_curves<'a>(&mut self, curves: impl IntoIterator<Item = (&'a [(f64, f64)], &'a str)>) {
        let _ = write!(
            self.body,
            r#"<svg x="0" y="0" width="100%" height="{:.0}{}" viewBox="0 0 1000 1000" preserveAspectRatio="none">"#,
            self.height, self.y_unit
        );
        for (points, class) in curves {
            let _ = write!(self.body, r#"<polyline class="curve {class}" points=""#);
            for (x, y) in points {
                let _ = write!(self.body, "{:.1},{:.1} ", x * 1000.0, y * 1000.0);
            }
            self.body.push_str("\"/>");
        }
        self.body.push_str("</svg>");
    }

    /// The finished element; `label` is read aloud in its place.
    pub(crate) fn finish(self, label: &str) -> String {
        let aria = if label.is_empty() {
            r#"aria-hidden="true""#.to_owned()
        } else {
            format!(r#"role="img" aria-label="{}""#, escape(label))
        };
        format!(r#"<svg width="100%" height="{:.0}{}" {aria}>{}</svg>"#, self.height, self.y_unit, self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_texts_is_text() {
        let mut svg = Svg::new(10.0);
        svg.text((0.0, 5.0), 0.0, Anchor::Start, "tick", "<script>alert('&')</script>");
        svg.mark((5.0, 5.0), 3.0, Mark::Dot, "c0", "a \"b\" <c>");
        let text = svg.finish("<d>");
        assert!(!text.contains("<script>") && !text.contains("<c>") && !text.contains("<d>"));
        assert!(text.contains("&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"));
    }
}
