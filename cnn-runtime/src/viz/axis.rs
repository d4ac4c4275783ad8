//! Axes: what they span, where their ticks stand, and what is written at them.

/// How the values of an axis are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// As they are.
    #[default]
    Plain,
    /// Parts of one as percent.
    Percent,
    /// Whole numbers: epochs, pixels.
    Count,
}

impl Unit {
    /// `value` with `decimals`.
    fn write(self, value: f64, decimals: usize) -> String {
        // The sum turns a negative zero into a positive one.
        match self {
            Unit::Percent => format!("{:.*}\u{202f}%", decimals.saturating_sub(2), 100.0 * value + 0.0),
            // Where all digits matter, as of numbers that hardly differ, an exponent would hide them.
            _ if value != 0.0 && value.abs() < 1e-3 && decimals > 5 => format!("{value:.0e}"),
            _ => format!("{:.*}", decimals, value + 0.0),
        }
    }

    /// A single value, for people: to a hundredth of a percent, or to three digits.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Unit::Percent => format!("{:.2}\u{202f}%", 100.0 * value),
            Unit::Count => format!("{value:.0}"),
            Unit::Plain if value != 0.0 && value.abs() < 1e-3 => format!("{value:.2e}"),
            Unit::Plain => format!("{value:.*}", if value.abs() < 10.0 { 3 } else { 1 }),
        }
    }
}

/// The values along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub low: f64,
    pub high: f64,
    step: f64,
    unit: Unit,
}

impl Scale {
    /// From the least to the greatest of the values, which are finite, with about `ticks` ticks.
    pub fn tight(values: impl Iterator<Item = f64>, unit: Unit, ticks: usize) -> Self {
        let (low, high) = bounds(values);
        let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
        Scale { low, high, step: step(high - low, ticks, unit), unit }
    }

    /// As [`tight`](Scale::tight), but widened to ticks, and to zero if `from_zero`.
    pub fn wide(values: impl Iterator<Item = f64>, from_zero: bool, unit: Unit, ticks: usize) -> Self {
        let (mut low, mut high) = bounds(values);
        if from_zero {
            (low, high) = (low.min(0.0), high.max(0.0));
        }
        if low == high {
            // As much below as above: a constant is a line in the middle.
            let around = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low, high) = (low - around, high + around);
        }
        let step = step(high - low, ticks, unit);
        Scale { low: (low / step + 1e-9).floor() * step, high: (high / step - 1e-9).ceil() * step, step, unit }
    }

    /// Where `value` lies: 0 at the low end, 1 at the high end.
    pub fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// The values of the ticks, from low to high.
    pub fn ticks(&self) -> impl Iterator<Item = f64> {
        let first = (self.low / self.step - 1e-9).ceil();
        let count = ((self.high / self.step + 1e-9).floor() - first + 1.0).max(0.0) as usize;
        let step = self.step;
        (0..count).map(move |index| (first + index as f64) * step)
    }

    /// What is written at a tick.
    pub fn label(&self, value: f64) -> String {
        let decimals = (-(self.step * 1.000_001).log10().floor()).max(0.0) as usize;
        self.unit.write(value, decimals)
    }
}

/// The least and the greatest value; 0 and 1 without values.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low <= high { (low, high) } else { (0.0, 1.0) }
}

/// The distance of ticks: 1, 2 or 5 and zeros, so that there are about `ticks` over `width`.
fn step(width: f64, ticks: usize, unit: Unit) -> f64 {
    let raw = width / ticks as f64;
    let power = 10f64.powf(raw.log10().floor());
    let nice = [1.0, 2.0, 5.0, 10.0].into_iter().find(|nice| nice * power >= raw * 0.999).unwrap_or(10.0) * power;
    if unit == Unit::Count { nice.max(1.0) } else { nice }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<String> {
        scale.ticks().map(|tick| scale.label(tick)).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        let loss = Scale::wide([0.13, 2.31].into_iter(), true, Unit::Plain, 5);
        assert_eq!(labels(&loss), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]);
        let accuracy = Scale::wide([0.871, 0.986].into_iter(), false, Unit::Percent, 5);
        assert_eq!(labels(&accuracy)[0], "85\u{202f}%");
        assert_eq!((accuracy.place(accuracy.low), accuracy.place(accuracy.high)), (0.0, 1.0));
        let small = Scale::wide([0.9901, 0.9931].into_iter(), false, Unit::Percent, 4);
        assert_eq!(labels(&small)[..2], ["99.0\u{202f}%", "99.1\u{202f}%"]);
        let rates = Scale::wide([0.0, 3e-6].into_iter(), true, Unit::Plain, 3);
        assert_eq!(labels(&rates), ["0.000000", "1e-6", "2e-6", "3e-6"]);
    }

    #[test]
    fn counts_have_whole_ticks() {
        assert_eq!(labels(&Scale::tight([1.0, 3.0].into_iter(), Unit::Count, 8)), ["1", "2", "3"]);
        assert_eq!(labels(&Scale::tight([1.0].into_iter(), Unit::Count, 8)), ["1"]);
        assert_eq!(labels(&Scale::tight((1..=90).map(f64::from), Unit::Count, 6)), ["20", "40", "60", "80"]);
    }

    #[test]
    fn no_tick_lies_outside() {
        for (low, high) in [(0.2, 0.8), (0.2, 1.0), (0.0, 0.0), (-0.4, 0.3), (-7.5, -7.2)] {
            let scale = Scale::tight([low, high].into_iter(), Unit::Count, 8);
            assert!(scale.ticks().all(|tick| (0.0..=1.0).contains(&scale.place(tick))), "{low} to {high}");
        }
    }

    #[test]
    fn values_that_hardly_differ_have_labels_that_do() {
        let scale = Scale::wide([2.302581, 2.302589].into_iter(), false, Unit::Plain, 5);
        let labels = labels(&scale);
        assert!(labels.len() > 2 && labels.windows(2).all(|pair| pair[0] != pair[1]), "{labels:?}");
    }

    #[test]
    fn constants_and_nothing_have_an_axis_too() {
        for values in [vec![], vec![0.0], vec![5.0], vec![-3.0, -3.0]] {
            for from_zero in [false, true] {
                let scale = Scale::wide(values.iter().copied(), from_zero, Unit::Plain, 5);
                assert!(scale.low < scale.high && scale.ticks().count() >= 3, "{values:?}: {scale:?}");
            }
        }
    }

    #[test]
    fn single_values_are_short() {
        assert_eq!(Unit::Percent.show(0.98623), "98.62\u{202f}%");
        assert_eq!([0.04567, 12.345, 0.00012, 0.0].map(|v| Unit::Plain.show(v)), ["0.046", "12.3", "1.20e-4", "0.000"]);
    }
}
