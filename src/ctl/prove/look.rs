//! How large a picture is, and how its latencies are scaled.

use std::ops::Range;

/// Sizes in pixels.
pub(super) struct Look {
    pub(super) size: (u32, u32),
    /// How much of the height is the latencies'.
    pub(super) latencies: i32,
    pub(super) title: i32,
    pub(super) text: i32,
    pub(super) margin: i32,
    /// What the labels have below and to the left.
    pub(super) under: i32,
    pub(super) beside: i32,
    /// About so many on an axis.
    pub(super) labels: usize,
    /// What stands below all of it.
    pub(super) below: &'static str,
    /// Whether p99 is drawn beside the longest latency, with a legend; in steps of few requests
    /// both are the same.
    pub(super) has_p99: bool,
    scale: Scale,
}

/// From 0 to the highest, or, where pictures that differ much are compared, in powers of ten.
enum Scale {
    Even(f64),
    Powers(f64),
}

/// A tenth of a millisecond.
const LOWEST_POWER: f64 = -1.0;

impl Look {
    /// A picture by itself.
    pub(super) fn alone(highest: f64) -> Self {
        Self {
            size: (1000, 520),
            latencies: 340,
            title: 22,
            text: 15,
            margin: 10,
            under: 36,
            beside: 60,
            labels: 11,
            below: "seconds; the roll is shaded",
            has_p99: true,
            scale: Scale::Even(highest),
        }
    }

    /// One of a sheet.
    pub(super) fn one_of_many(highest: f64) -> Self {
        Self {
            size: (480, 230),
            latencies: 135,
            title: 14,
            text: 11,
            margin: 4,
            under: 16,
            beside: 52,
            labels: 6,
            below: "",
            has_p99: false,
            scale: Scale::Powers(highest),
        }
    }

    /// From the bottom to the top, with room for the legend.
    pub(super) fn heights(&self) -> Range<f64> {
        match self.scale {
            Scale::Even(highest) => 0.0..highest * 1.25,
            Scale::Powers(highest) => LOWEST_POWER..highest.log10().ceil(),
        }
    }

    /// Of so many milliseconds.
    pub(super) fn height(&self, millis: f64) -> f64 {
        match self.scale {
            Scale::Even(_) => millis,
            Scale::Powers(_) => millis.log10().max(LOWEST_POWER),
        }
    }

    /// The milliseconds at a height, as they are written there.
    pub(super) fn label(&self, height: f64) -> String {
        match self.scale {
            Scale::Even(_) => format!("{height:.1}"),
            Scale::Powers(_) if height.fract() == 0.0 => format!("{}", 10f64.powf(height)),
            Scale::Powers(_) => String::new(),
        }
    }
}
