//! Lines ready to use: what HIPAA, PCI DSS and the GDPR call protected, and credentials.
//!
//! A profile says what leaves, not what is lawful: it goes before the standard lines and after the deployment's own.

use countersign_core::{Action, Entity, Kind, Side};

use crate::ActionRule;

/// A named list of lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Profile {
    /// The identifiers of 45 CFR 164.514(b)(2)(i) are masked in prompts.
    Hipaa,
    /// Card numbers and expiries are masked and verification codes refused, both ways (PCI DSS 3.3 and 3.5).
    Pci,
    /// What names or reaches a person, what numbers one, and special categories (articles 4 and 9) are masked in prompts.
    Gdpr,
    /// Credentials are refused in prompts and masked in answers.
    Secrets,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 4] = [Self::Hipaa, Self::Pci, Self::Gdpr, Self::Secrets];

    /// Its name in configurations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hipaa => "hipaa",
            Self::Pci => "pci",
            Self::Gdpr => "gdpr",
            Self::Secrets => "secrets",
        }
    }

    /// The profile of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == name)
    }

    /// What it does, in a line.
    #[must_use]
    pub const fn does(self) -> &'static str {
        match self {
            Self::Hipaa => "the identifiers of 45 CFR 164.514(b)(2)(i) are masked in prompts",
            Self::Pci => "card numbers and expiries are masked, verification codes refused",
            Self::Gdpr => "what names, reaches or numbers a person, and special categories, are masked in prompts",
            Self::Secrets => "credentials are refused in prompts and masked in answers",
        }
    }

    /// Its lines, in order.
    #[must_use]
    pub fn lines(self) -> Vec<ActionRule> {
        use Action::{Mask, Refuse};
        use Side::{Answer, Prompt};

        let all = |entities: &[Entity]| entities.iter().map(|e| line(Some(Prompt), *e, Mask)).collect();
        match self {
            Self::Hipaa => all(&HIPAA),
            Self::Gdpr => all(&GDPR),
            Self::Pci => vec![
                line(None, Entity::CardCvv, Refuse),
                line(None, Entity::CreditCard, Mask),
                line(None, Entity::CardExpiry, Mask),
            ],
            Self::Secrets => [(Prompt, Refuse), (Answer, Mask)]
                .into_iter()
                .map(|(side, action)| ActionRule {
                    kind: Some(Kind::Secret),
                    side: Some(side),
                    at_least: 0.5,
                    ..ActionRule::any(action)
                })
                .collect(),
        }
    }
}

fn line(side: Option<Side>, entity: Entity, action: Action) -> ActionRule {
    ActionRule { side, rule: Some(entity.as_str().to_owned()), ..ActionRule::any(action) }
}

/// By the letters of the rule: (A) names, (B) places, (C) dates and ages, (D), (E) telephone and fax, (F) e-mail, (G) social security,
/// (H) records, (I) plans, (J) accounts, (K) certificates and licences, (L) vehicles, (M) devices, (N) URLs, (O) networks, (R) any
/// other number of a person. (P) and (Q) are no text.
const HIPAA: [Entity; 32] = [
    Entity::Person,
    Entity::Location,
    Entity::Address,
    Entity::DateTime,
    Entity::Dob,
    Entity::Age,
    Entity::Phone,
    Entity::Email,
    Entity::UsSsn,
    Entity::MedicalRecord,
    Entity::HealthPlanId,
    Entity::BankAccount,
    Entity::BankRouting,
    Entity::Iban,
    Entity::SwiftBic,
    Entity::CreditCard,
    Entity::CardExpiry,
    Entity::CardCvv,
    Entity::CryptoWallet,
    Entity::Npi,
    Entity::MedicalLicense,
    Entity::DriverLicense,
    Entity::Passport,
    Entity::VehicleId,
    Entity::DeviceId,
    Entity::Url,
    Entity::IpAddress,
    Entity::MacAddress,
    Entity::NationalId,
    Entity::TaxId,
    Entity::Username,
    Entity::GenericId,
];

/// Places and organisations are no person's; dates but that of birth are nobody's.
const GDPR: [Entity; 26] = [
    Entity::Person,
    Entity::Nrp,
    Entity::Address,
    Entity::Dob,
    Entity::Phone,
    Entity::Email,
    Entity::UsSsn,
    Entity::NationalId,
    Entity::TaxId,
    Entity::MedicalRecord,
    Entity::HealthPlanId,
    Entity::Npi,
    Entity::MedicalLicense,
    Entity::DriverLicense,
    Entity::Passport,
    Entity::VehicleId,
    Entity::DeviceId,
    Entity::BankAccount,
    Entity::Iban,
    Entity::CreditCard,
    Entity::CardCvv,
    Entity::CryptoWallet,
    Entity::IpAddress,
    Entity::MacAddress,
    Entity::Username,
    Entity::GenericId,
];

#[cfg(test)]
mod tests;
