//! Generic functions that are compiled in their own crate, once for each number type.

use crate::Float;

/// Compiles functions of one [`Float`] type here, for `f32` and for `f64`, instead of in every crate that calls them.
///
/// `fn name<'lifetimes, F>(arguments) -> result { body }`, with `F` for the number type. Worth it for what is large and called
/// from many crates: three copies of the engine were a quarter of a build. A call is a call; nothing is inlined.
#[macro_export]
macro_rules! compiled_once {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident<$($life:lifetime,)* $float:ident>($($arg:ident: $type:ty),* $(,)?)
        $(-> $result:ty)? $body:block)*) => {$(
        $(#[$meta])*
        #[inline(always)]
        #[allow(clippy::too_many_arguments)]
        $vis fn $name<$($life,)* $float: $crate::Float>($($arg: $type),*) $(-> $result)? {
            type Signature<$float> = for<$($life),*> fn($($type),*) $(-> $result)?;
            #[allow(clippy::too_many_arguments)]
            fn generic<$($life,)* $float: $crate::Float>($($arg: $type),*) $(-> $result)? $body
            const fn single() -> Signature<f32> {
                type $float = f32;
                #[allow(clippy::too_many_arguments)]
                fn compiled<$($life),*>($($arg: $type),*) $(-> $result)? {
                    generic::<$float>($($arg),*)
                }
                compiled
            }
            const fn double() -> Signature<f64> {
                type $float = f64;
                #[allow(clippy::too_many_arguments)]
                fn compiled<$($life),*>($($arg: $type),*) $(-> $result)? {
                    generic::<$float>($($arg),*)
                }
                compiled
            }
            // SAFETY: the same type: `F` is the only parameter of the alias.
            let chosen = unsafe {
                $crate::once::choose::<$float, Signature<f32>, Signature<f64>, Signature<$float>>(single(), double())
            };
            chosen($($arg),*)
        }
    )*};
}

/// The one of two functions that is for `F`.
///
/// # Safety
/// `S`, `D` and `C` are one type of function pointers with `f32`, `f64` and `F` in it.
#[doc(hidden)]
#[inline(always)]
pub unsafe fn choose<F: Float, S: Copy, D: Copy, C: Copy>(single: S, double: D) -> C {
    const { assert!(size_of::<S>() == size_of::<C>() && size_of::<D>() == size_of::<C>()) };
    // SAFETY: the caller says that this is the type; there are two numbers, of different sizes.
    unsafe {
        if size_of::<F>() == size_of::<f32>() {
            std::mem::transmute_copy(&single)
        } else {
            std::mem::transmute_copy(&double)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::any::type_name;

    compiled_once! {
        /// The number's name, and the longer one of two slices.
        fn longer<'a, F>(a: &'a [F], b: &'a [F]) -> (&'static str, &'a [F]) {
            (type_name::<F>(), if a.len() > b.len() { a } else { b })
        }

        fn set<F>(x: &mut F, to: f64) {
            *x = F::from_f64(to);
        }
    }

    #[test]
    fn each_number_has_its_function() {
        assert_eq!(longer(&[1.0f32], &[2.0, 3.0]), ("f32", &[2.0, 3.0][..]));
        assert_eq!(longer(&[1.0f64, 4.0], &[2.0]), ("f64", &[1.0, 4.0][..]));
        let (mut single, mut double) = (0.0f32, 0.0f64);
        set(&mut single, 0.1);
        set(&mut double, 0.1);
        assert_eq!((single, double), (0.1, 0.1));
    }
}
