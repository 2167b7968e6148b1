//! Says whether a request may be made and its answer returned, how often, and what is done about what the guards find.
//!
//! It does not find out who asks, looks at no content, and reads neither files nor the clock.
//!
//! ```
//! use countersign_policy::Policy;
//!
//! let text = r#"permit (principal in Countersign::Role::"staff", action, resource);"#;
//! assert_eq!(Policy::parse(&[("staff.cedar", text)]).unwrap().len(), 1);
//!
//! let slip = r#"permit (principal in Countersign::Roll::"staff", action, resource);"#;
//! let error = Policy::parse(&[("staff.cedar", slip)]).unwrap_err();
//! assert!(error.to_string().starts_with("staff.cedar:1:"));
//! ```

pub mod access;
mod administer;
pub mod budget;
mod cache;
pub mod cases;
mod error;
mod facts;
mod held;
mod index;
mod mentions;
mod penalty;
mod policy;
mod profiles;
mod question;
mod rates;
mod rules;
mod scopes;
mod shape;
mod stage;
mod standing;
mod token;
mod validate;

pub use administer::Administer;
pub use error::{PolicyError, Problem};
pub use policy::{Named, Policy, SCHEMA, STARTER};
pub use profiles::Profile;
pub use rates::{Rate, Rates};
pub use rules::{ActionRule, Rules};
pub use stage::{Settings, Share, Stage};
pub use standing::{Risk, Standing, Standings};
