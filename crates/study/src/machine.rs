//! What the runs ran on.

/// This machine in one line: processor, threads, memory where it can be known, system.
pub fn describe() -> String {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut parts = Vec::new();
    parts.extend(processor());
    parts.push(if threads == 1 { "1 thread".into() } else { format!("{threads} threads") });
    parts.extend(memory());
    parts.push(format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    parts.join(", ")
}

fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let name = text.lines().find(|line| line.starts_with("model name"))?.split_once(':')?.1.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

fn memory() -> Option<String> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(format!("{:.0} GiB", kibibytes / (1024.0 * 1024.0)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_machine_has_a_system_and_threads() {
        let line = super::describe();
        assert!(line.contains(std::env::consts::ARCH) && line.contains("thread"), "{line}");
    }
}
