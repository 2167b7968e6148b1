//! Ways around a stage, each of which has to be refused by the compiler; the error's code says that it is for the right reason
//! (rustdoc looks at it on a nightly compiler, or with `RUSTC_BOOTSTRAP=1`).
//!
//! This is the way that compiles; what follows differs from it in one thing each:
//!
//! ```no_run
//! use std::sync::Arc;
//! use bytes::Bytes;
//! use countersign_core::{Call, Principal, Refusal, RequestId, Timestamp, life::*};
//!
//! type Who = Arc<Principal>;
//!
//! fn life(stamps: &Stamps, id: RequestId, who: Who, call: Call, permit: Permit, body: Bytes) -> Result<Released, Refusal> {
//!     let now = Timestamp(0);
//!     let identified = Identified::new(&stamps.identify, id, now, Peer::default(), who);
//!     let permitted = Permitted::new(&stamps.permit, identified, call, permit.clone());
//!     let reserved = Reserved::new(&stamps.reserve, permitted, Box::new(()));
//!     let screened = Screened::new(&stamps.screen, reserved, body.clone(), Vec::new(), Fingerprint::default());
//!     let intended = Intended::new(&stamps.intend, screened, 0);
//!     let dispatched = Dispatched::new(&stamps.dispatch, intended, "target".into());
//!     let readmitted = Readmitted::new(&stamps.permit, dispatched, permit);
//!     Released::new(&stamps.screen, &readmitted, body, now)
//! }
//! ```

/// Whoever asks cannot be left out: a permit wants an identified request.
///
/// ```compile_fail,E0308
/// use countersign_core::{Call, life::*};
/// fn f(stamps: &Stamps, nobody: Peer, call: Call, permit: Permit) -> Permitted {
///     Permitted::new(&stamps.permit, nobody, call, permit)
/// }
/// ```
mod no_identity {}

/// Policy cannot be left out: what is reserved for was permitted.
///
/// ```compile_fail,E0308
/// use countersign_core::life::*;
/// fn f(stamps: &Stamps, identified: Identified) -> Reserved {
///     Reserved::new(&stamps.reserve, identified, Box::new(()))
/// }
/// ```
mod no_permit {}

/// Rates cannot be left out: what is screened was reserved for.
///
/// ```compile_fail,E0308
/// use bytes::Bytes;
/// use countersign_core::life::*;
/// fn f(stamps: &Stamps, permitted: Permitted, body: Bytes) -> Screened {
///     Screened::new(&stamps.screen, permitted, body, Vec::new(), Fingerprint::default())
/// }
/// ```
mod no_reservation {}

/// The guards cannot be left out: what is intended was screened.
///
/// ```compile_fail,E0308
/// use countersign_core::life::*;
/// fn f(stamps: &Stamps, reserved: Reserved) -> Intended {
///     Intended::new(&stamps.intend, reserved, 0)
/// }
/// ```
mod no_screening {}

/// The record cannot be left out: what is dispatched was intended.
///
/// ```compile_fail,E0308
/// use countersign_core::life::*;
/// fn f(stamps: &Stamps, screened: Screened) -> Dispatched {
///     Dispatched::new(&stamps.dispatch, screened, "target".into())
/// }
/// ```
mod no_record {}

/// An answer belongs to a request that was dispatched.
///
/// ```compile_fail,E0308
/// use countersign_core::life::*;
/// fn f(stamps: &Stamps, intended: Intended, permit: Permit) -> Readmitted {
///     Readmitted::new(&stamps.permit, intended, permit)
/// }
/// ```
mod no_dispatch {}

/// Policy's second word cannot be left out: what is released was readmitted.
///
/// ```compile_fail,E0308
/// use bytes::Bytes;
/// use countersign_core::{Refusal, Timestamp, life::*};
/// fn f(stamps: &Stamps, dispatched: &Dispatched, body: Bytes) -> Result<Released, Refusal> {
///     Released::new(&stamps.screen, dispatched, body, Timestamp(0))
/// }
/// ```
mod no_second_word {}

/// One stage's stamp makes no other stage's proof.
///
/// ```compile_fail,E0308
/// use countersign_core::life::*;
/// fn f(stamps: &Stamps, screened: Screened) -> Intended {
///     Intended::new(&stamps.screen, screened, 0)
/// }
/// ```
mod another_stages_stamp {}

/// Only the gateway's own voice needs no request.
///
/// ```compile_fail,E0308
/// use bytes::Bytes;
/// use countersign_core::life::*;
/// fn f(stamps: &Stamps, body: Bytes) -> Released {
///     Released::spoken(&stamps.screen, body)
/// }
/// ```
mod spoken_by_another {}

/// No proof without a stamp.
///
/// ```compile_fail,E0061
/// use countersign_core::life::*;
/// fn f(screened: Screened) -> Intended {
///     Intended::new(screened, 0)
/// }
/// ```
mod without_a_stamp {}

/// A proof cannot be put together by hand.
///
/// ```compile_fail,E0451
/// use countersign_core::life::*;
/// fn f(screened: Screened) -> Intended {
///     Intended { screened, record: 0 }
/// }
/// ```
mod by_hand {}

/// Nor can bytes be declared released.
///
/// ```compile_fail,E0423
/// use bytes::Bytes;
/// use countersign_core::life::Released;
/// fn f(body: Bytes) -> Released {
///     Released(body)
/// }
/// ```
mod released_by_hand {}

/// Nor converted.
///
/// ```compile_fail,E0277
/// use bytes::Bytes;
/// use countersign_core::life::Released;
/// fn f(body: Bytes) -> Released {
///     body.into()
/// }
/// ```
mod released_from_bytes {}

/// An earlier proof cannot be taken out of a later one, to be used again.
///
/// ```compile_fail,E0507
/// use countersign_core::life::*;
/// fn f(intended: Intended) -> Screened {
///     *intended
/// }
/// ```
mod taken_apart {}

/// Nor can what was screened be changed under the proof.
///
/// ```compile_fail,E0594
/// use bytes::Bytes;
/// use countersign_core::life::Screened;
/// fn f(screened: Screened, other: Bytes) {
///     *screened.body() = other;
/// }
/// ```
mod changed {}

/// A stamp cannot be copied.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Clone>() {}
/// needs::<Stamp<stage::Screen>>();
/// ```
mod stamp_clone {}

/// A stamp cannot be made from nothing.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Default>() {}
/// needs::<Stamp<stage::Screen>>();
/// ```
mod stamp_default {}

/// The proof of identified cannot be copied.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Clone>() {}
/// needs::<Identified>();
/// ```
mod identified_clone {}

/// The proof of identified cannot be made from nothing.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Default>() {}
/// needs::<Identified>();
/// ```
mod identified_default {}

/// The proof of permitted cannot be copied.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Clone>() {}
/// needs::<Permitted>();
/// ```
mod permitted_clone {}

/// The proof of permitted cannot be made from nothing.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Default>() {}
/// needs::<Permitted>();
/// ```
mod permitted_default {}

/// The proof of reserved cannot be copied.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Clone>() {}
/// needs::<Reserved>();
/// ```
mod reserved_clone {}

/// The proof of reserved cannot be made from nothing.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Default>() {}
/// needs::<Reserved>();
/// ```
mod reserved_default {}

/// The proof of screened cannot be copied.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Clone>() {}
/// needs::<Screened>();
/// ```
mod screened_clone {}

/// The proof of screened cannot be made from nothing.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Default>() {}
/// needs::<Screened>();
/// ```
mod screened_default {}

/// The proof of intended cannot be copied.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Clone>() {}
/// needs::<Intended>();
/// ```
mod intended_clone {}

/// The proof of intended cannot be made from nothing.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Default>() {}
/// needs::<Intended>();
/// ```
mod intended_default {}

/// The proof of dispatched cannot be copied.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Clone>() {}
/// needs::<Dispatched>();
/// ```
mod dispatched_clone {}

/// The proof of dispatched cannot be made from nothing.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Default>() {}
/// needs::<Dispatched>();
/// ```
mod dispatched_default {}

/// The proof of readmitted cannot be copied.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Clone>() {}
/// needs::<Readmitted>();
/// ```
mod readmitted_clone {}

/// The proof of readmitted cannot be made from nothing.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Default>() {}
/// needs::<Readmitted>();
/// ```
mod readmitted_default {}

/// Released bytes cannot be copied.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Clone>() {}
/// needs::<Released>();
/// ```
mod released_clone {}

/// Released bytes cannot be made from nothing.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Default>() {}
/// needs::<Released>();
/// ```
mod released_default {}

/// Nor can the whole set.
///
/// ```compile_fail,E0277
/// use countersign_core::life::*;
/// fn needs<T: Clone>() {}
/// needs::<Stamps>();
/// ```
mod stamps_clone {}
