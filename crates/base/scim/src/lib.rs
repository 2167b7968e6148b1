//! The words of SCIM 2.0 (RFC 7643, RFC 7644): resources, filters, patches, and what a server says of itself.
//!
//! It keeps nothing, knows no HTTP, and decides nothing about who may do what.
//!
//! ```
//! use countersign_scim::{Filter, Kind, read};
//!
//! let body = br#"{"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "USERNAME": "ada", "password": "x"}"#;
//! let user = Kind::User.resource(&read(body).unwrap()).unwrap();
//! assert_eq!(user["userName"], "ada");
//! assert!(!user.contains_key("password"), "what is not needed is not kept");
//! assert!(Filter::parse("userName sw \"AD\"").unwrap().fits(Kind::User, &user));
//! ```
//!
//! Threats it answers: filters and paths that recurse or grow without bound; two members of one name, of which two readers take
//! different ones; a patch that removes more than it names; personal data that nobody needs.

mod fault;
mod filter;
mod patch;
mod path;
mod project;
mod resource;
mod says;
mod strict;

pub use fault::{Fault, message};
pub use filter::Filter;
pub use patch::Patch;
pub use project::Projection;
pub use resource::{Attribute, Kind, Resource, Sort};
pub use says::{LIST, resource_types, schemas, service_provider};
pub use strict::read;
