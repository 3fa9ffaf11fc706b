//! What the processor has, at run time with the feature `std`, else what it was compiled for.

/// Proofs that the processor has what a kernel needs, one for each set of features: only `best` and `all` of
/// [`Kernel`](crate::Kernel) and [`IntegerKernel`](crate::IntegerKernel) make them.
///
/// ```compile_fail
/// # use din_core::Kernel;
/// if let Kernel::Avx2(proof) = Kernel::best() {
///     let _ = Kernel::Avx512(proof); // the one does not prove the other
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasAvx2(());

/// See [`HasAvx2`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasAvx512(());

/// See [`HasAvx2`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasVnni(());

/// Whether the processor has every one of some features: at run time with `std`, else whether it was compiled for them.
macro_rules! has_features {
    ($($feature:tt),+) => {{
        #[cfg(feature = "std")]
        { true $(&& std::arch::is_x86_feature_detected!($feature))+ }
        #[cfg(not(feature = "std"))]
        { cfg!(all($(target_feature = $feature),+)) }
    }};
}

pub(crate) fn has_avx2() -> Option<HasAvx2> {
    has_features!("avx2", "fma", "f16c").then_some(HasAvx2(()))
}

pub(crate) fn has_avx512() -> Option<HasAvx512> {
    let has_all = has_features!("avx512f", "avx512bw", "avx512dq", "avx512vl");
    has_avx2().filter(|_| has_all).map(|_| HasAvx512(()))
}

pub(crate) fn has_vnni() -> Option<HasVnni> {
    let has_it = has_features!("avx512vnni");
    has_avx512().filter(|_| has_it).map(|_| HasVnni(()))
}
