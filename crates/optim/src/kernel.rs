//! One loop, compiled for several instruction sets, picked once at start.

/// The instruction sets a loop is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// What every processor of the target has (SSE2, NEON).
    Baseline,
    /// AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ, VL.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// Every level this processor can run.
    #[cfg(test)]
    pub(crate) fn available() -> Vec<Level> {
        #[allow(unused_mut)]
        let mut levels = vec![Level::Baseline];
        #[cfg(target_arch = "x86_64")]
        {
            let best = detect();
            if best != Level::Baseline {
                levels.push(Level::Avx2);
            }
            if best == Level::Avx512 {
                levels.push(Level::Avx512);
            }
        }
        levels
    }
}

fn detect() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if avx2 && avx512 {
            return Level::Avx512;
        }
        if avx2 {
            return Level::Avx2;
        }
    }
    Level::Baseline
}

#[cfg(test)]
thread_local! {
    /// Lets a test run a slower version than the best one.
    pub(crate) static FORCED: std::cell::Cell<Option<Level>> = const { std::cell::Cell::new(None) };
}

/// The level to run: the best this processor has.
pub(crate) fn level() -> Level {
    #[cfg(test)]
    if let Some(forced) = FORCED.get() {
        return forced;
    }
    static BEST: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
    *BEST.get_or_init(detect)
}

/// Compiles a function generic over [`Float`](crate::Float) for every [`Level`] and dispatches on [`level`].
macro_rules! multiversion {
    ($(#[$meta:meta])* $visibility:vis fn $name:ident<$F:ident>($($arg:ident: $type:ty),* $(,)?)
     $(-> $return:ty)? $body:block) => {
        $(#[$meta])*
        $visibility fn $name<$F: $crate::Float>($($arg: $type),*) $(-> $return)? {
            #[inline(always)]
            fn body<$F: $crate::Float>($($arg: $type),*) $(-> $return)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2")]
            fn avx512<$F: $crate::Float>($($arg: $type),*) $(-> $return)? {
                body($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2<$F: $crate::Float>($($arg: $type),*) $(-> $return)? {
                body($($arg),*)
            }

            match $crate::kernel::level() {
                // SAFETY: this level is only ever chosen where the processor reports its features.
                #[cfg(target_arch = "x86_64")]
                $crate::kernel::Level::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::kernel::Level::Avx2 => unsafe { avx2($($arg),*) },
                $crate::kernel::Level::Baseline => body($($arg),*),
            }
        }
    };
}
pub(crate) use multiversion;
