//! Numbers and durations as a person reads them.

/// How many decimals tell `values` apart: about three significant digits of their spread, or of the largest of
/// them if they are all alike. Values that are not finite don't count.
pub fn decimals(values: impl IntoIterator<Item = f64>) -> usize {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.into_iter().filter(|value| value.is_finite()) {
        low = low.min(value);
        high = high.max(value);
    }
    let spread = high - low;
    let scale = if spread > 0.0 { spread } else { high.abs() };
    if !(scale.is_finite() && scale > 0.0) {
        return 0;
    }
    (2 - scale.log10().floor() as i64).clamp(0, 9) as usize
}

/// A number with so many decimals, thousands apart (`12,345.6`), a true minus sign, and an exponent where digits
/// would not do (`1.2×10⁻⁷`). What is not finite is a word or a sign: `∞`, `−∞`, `–`.
pub fn number(value: f64, decimals: usize) -> String {
    if value.is_nan() {
        return "–".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞".into() } else { "−∞".into() };
    }
    if value == 0.0 {
        return "0".into();
    }
    let size = value.abs();
    if !(1e-4..1e9).contains(&size) {
        return scientific(value, 3);
    }
    let text = format!("{size:.decimals$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let is_zero = text.chars().all(|c| c == '0' || c == '.');
    let mut out = String::new();
    if value < 0.0 && !is_zero {
        out.push('−');
    }
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) && whole.len() > 4 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A whole number with its thousands apart: `50,000`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) && digits.len() > 4 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The numbers at the ticks of an axis, all in one form: plain (`0.25`), in thousands or more (`10k`, `1.5M`), or
/// with an exponent.
pub fn tick_labels(ticks: &[f64]) -> Vec<String> {
    let largest = ticks.iter().fold(0.0f64, |largest, tick| largest.max(tick.abs()));
    let step = ticks.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(f64::INFINITY, f64::min);
    let step = if step.is_finite() { step } else { largest };
    if largest >= 1e15 || (largest > 0.0 && largest < 1e-3) {
        return ticks
            .iter()
            .map(|&tick| if tick == 0.0 { "0".into() } else { scientific(tick, 3) })
            .collect();
    }
    let (unit, suffix) = match largest {
        x if x >= 1e12 => (1e12, "T"),
        x if x >= 1e9 => (1e9, "G"),
        x if x >= 1e6 => (1e6, "M"),
        x if x >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let label = |&tick: &f64| {
        if tick == 0.0 {
            return "0".into();
        }
        let digits = number(tick / unit, exact_decimals(step / unit));
        match suffix {
            "" => digits,
            suffix if digits.contains('.') => {
                format!("{}{suffix}", digits.trim_end_matches('0').trim_end_matches('.'))
            }
            suffix => format!("{digits}{suffix}"),
        }
    };
    ticks.iter().map(label).collect()
}

/// The decimals that a round step needs: 0.25 has two.
fn exact_decimals(step: f64) -> usize {
    (0..9)
        .find(|&d| {
            let scaled = step * 10f64.powi(d);
            (scaled - scaled.round()).abs() < 1e-6 * scaled.abs()
        })
        .unwrap_or(9) as usize
}

/// A power of ten with a short factor: `2.5×10⁻⁷`, `10⁶`.
pub fn scientific(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let text = format!("{:.*e}", digits.saturating_sub(1), value.abs());
    let (factor, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let factor =
        if factor.contains('.') { factor.trim_end_matches('0').trim_end_matches('.') } else { factor };
    let power: String = exponent.chars().map(superscript).collect();
    let sign = if value < 0.0 { "−" } else { "" };
    if factor == "1" { format!("{sign}10{power}") } else { format!("{sign}{factor}×10{power}") }
}

fn superscript(c: char) -> char {
    match c {
        '-' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit @ '4'..='9' => char::from_u32('⁴' as u32 + digit as u32 - '4' as u32).unwrap_or(digit),
        other => other,
    }
}

/// A duration: `0.8 s`, `42 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "–".into();
    }
    if seconds < 0.0095 {
        return format!("{:.1} ms", seconds * 1000.0);
    }
    if seconds < 9.95 {
        return if seconds < 1.0 { format!("{seconds:.2} s") } else { format!("{seconds:.1} s") };
    }
    let whole = seconds.round() as u64;
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{large} {large_unit}")
        } else {
            format!("{large} {large_unit} {small} {small_unit}")
        }
    };
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => two(whole / 60, "min", whole % 60, "s"),
        3600..86_400 => two(whole / 3600, "h", whole % 3600 / 60, "min"),
        _ => two(whole / 86_400, "d", whole % 86_400 / 3600, "h"),
    }
}

/// A noun with its number: `1 seed`, `5 seeds`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_what_tells_them_apart() {
        assert_eq!(decimals([9120.0, 7300.0]), 0);
        assert_eq!(decimals([0.85, 0.12, f64::INFINITY]), 3);
        assert_eq!(decimals([487.25, 470.0]), 1);
        assert_eq!(decimals([5.0, 5.0]), 2);
        assert_eq!(decimals([0.0]), 0);
        assert_eq!(number(12_345.678, 1), "12,345.7");
        assert_eq!(number(1234.0, 0), "1234");
        assert_eq!(number(-0.5, 2), "−0.50");
        assert_eq!(number(-0.001, 1), "0.0");
        assert_eq!(number(1.234e-7, 3), "1.23×10⁻⁷");
        assert_eq!(number(f64::NEG_INFINITY, 3), "−∞");
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn ticks_share_one_form() {
        let labels = |ticks: &[f64]| tick_labels(ticks).join(" ");
        assert_eq!(labels(&[0.0, 10_000.0, 20_000.0]), "0 10k 20k");
        assert_eq!(labels(&[0.0, 2500.0, 5000.0]), "0 2500 5000");
        assert_eq!(labels(&[0.0, 500_000.0, 1_000_000.0]), "0 0.5M 1M");
        assert_eq!(labels(&[-0.25, 0.0, 0.25]), "−0.25 0 0.25");
        assert_eq!(labels(&[0.0, 2e-5, 4e-5]), "0 2×10⁻⁵ 4×10⁻⁵");
        assert_eq!(labels(&[12_500.0, 15_000.0]), "12.5k 15k");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        assert_eq!(duration(0.0042), "4.2 ms");
        assert_eq!(duration(0.82), "0.82 s");
        assert_eq!(duration(42.3), "42 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7500.0), "2 h 5 min");
        assert_eq!(duration(86_400.0 * 4.0 + 3600.0 * 3.0), "4 d 3 h");
    }
}
