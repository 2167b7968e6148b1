//! What a sensitive value is: the type under which it is counted, asked for, and replaced by a stand-in.
//!
//! A detector's rule is finer (`personal/pesel`); the type is what people and other products speak of (`NATIONAL_ID`).

/// The type of a sensitive value.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Entity {
    /// A person's name, without a title.
    Person,
    /// A city, state, country or other named place.
    Location,
    /// An address of street level.
    Address,
    /// An organisation.
    Organization,
    /// A nationality, religious or political group.
    Nrp,
    /// A date.
    DateTime,
    /// A date of birth.
    Dob,
    /// An age.
    Age,
    /// A telephone or fax number.
    Phone,
    /// An e-mail address.
    Email,
    /// A web address.
    Url,
    /// An IPv4 or IPv6 address.
    IpAddress,
    /// A hardware address of a network interface.
    MacAddress,
    /// A US social security number.
    UsSsn,
    /// A national identity number of any other country.
    NationalId,
    /// A taxpayer's number.
    TaxId,
    /// A company's number.
    CompanyId,
    /// A medical record number.
    MedicalRecord,
    /// A health plan's or health service's number.
    HealthPlanId,
    /// A US national provider identifier.
    Npi,
    /// A licence to practise or prescribe.
    MedicalLicense,
    /// A driving licence.
    DriverLicense,
    /// A passport's number, or the machine-readable lines of one.
    Passport,
    /// A vehicle's identification number or plate.
    VehicleId,
    /// A device's serial number or IMEI.
    DeviceId,
    /// A bank account's number.
    BankAccount,
    /// A bank's routing number.
    BankRouting,
    /// An international bank account number.
    Iban,
    /// A bank's identifier code.
    SwiftBic,
    /// A payment card's number.
    CreditCard,
    /// A payment card's expiry.
    CardExpiry,
    /// A payment card's verification code. Never kept, not even sealed (PCI DSS 3.3).
    CardCvv,
    /// An address of a cryptocurrency.
    CryptoWallet,
    /// A user's name at some service.
    Username,
    /// A password.
    Password,
    /// Any other credential.
    Secret,
    /// Another number that belongs to one person or thing.
    GenericId,
}

impl Entity {
    /// Every type.
    pub const ALL: [Self; 37] = [
        Self::Person,
        Self::Location,
        Self::Address,
        Self::Organization,
        Self::Nrp,
        Self::DateTime,
        Self::Dob,
        Self::Age,
        Self::Phone,
        Self::Email,
        Self::Url,
        Self::IpAddress,
        Self::MacAddress,
        Self::UsSsn,
        Self::NationalId,
        Self::TaxId,
        Self::CompanyId,
        Self::MedicalRecord,
        Self::HealthPlanId,
        Self::Npi,
        Self::MedicalLicense,
        Self::DriverLicense,
        Self::Passport,
        Self::VehicleId,
        Self::DeviceId,
        Self::BankAccount,
        Self::BankRouting,
        Self::Iban,
        Self::SwiftBic,
        Self::CreditCard,
        Self::CardExpiry,
        Self::CardCvv,
        Self::CryptoWallet,
        Self::Username,
        Self::Password,
        Self::Secret,
        Self::GenericId,
    ];

    /// The name in stand-ins, reports and other products' shapes, as in `CREDIT_CARD`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "PERSON",
            Self::Location => "LOCATION",
            Self::Address => "ADDRESS",
            Self::Organization => "ORGANIZATION",
            Self::Nrp => "NRP",
            Self::DateTime => "DATE_TIME",
            Self::Dob => "DOB",
            Self::Age => "AGE",
            Self::Phone => "PHONE",
            Self::Email => "EMAIL",
            Self::Url => "URL",
            Self::IpAddress => "IP_ADDRESS",
            Self::MacAddress => "MAC_ADDRESS",
            Self::UsSsn => "US_SSN",
            Self::NationalId => "NATIONAL_ID",
            Self::TaxId => "TAX_ID",
            Self::CompanyId => "COMPANY_ID",
            Self::MedicalRecord => "MEDICAL_RECORD",
            Self::HealthPlanId => "HEALTH_PLAN_ID",
            Self::Npi => "NPI",
            Self::MedicalLicense => "MEDICAL_LICENSE",
            Self::DriverLicense => "DRIVER_LICENSE",
            Self::Passport => "PASSPORT",
            Self::VehicleId => "VEHICLE_ID",
            Self::DeviceId => "DEVICE_ID",
            Self::BankAccount => "BANK_ACCOUNT",
            Self::BankRouting => "BANK_ROUTING",
            Self::Iban => "IBAN",
            Self::SwiftBic => "SWIFT_BIC",
            Self::CreditCard => "CREDIT_CARD",
            Self::CardExpiry => "CARD_EXPIRY",
            Self::CardCvv => "CARD_CVV",
            Self::CryptoWallet => "CRYPTO_WALLET",
            Self::Username => "USERNAME",
            Self::Password => "PASSWORD",
            Self::Secret => "SECRET",
            Self::GenericId => "GENERIC_ID",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.as_str() == name)
    }

    /// The type of what a detector's rule finds; none where it finds no value, as an injection.
    #[must_use]
    pub fn of(rule: &str) -> Option<Self> {
        Some(match rule.split_once('/')? {
            ("secret", "password") => Self::Password,
            ("secret", _) => Self::Secret,
            ("personal", "name") => Self::Person,
            ("personal", "place" | "postcode") => Self::Location,
            ("personal", "organization") => Self::Organization,
            ("personal", "address") => Self::Address,
            ("personal", "date") => Self::DateTime,
            ("personal", "birth-date") => Self::Dob,
            ("personal", "age") => Self::Age,
            ("personal", "phone") => Self::Phone,
            ("personal", "email") => Self::Email,
            ("personal", "url") => Self::Url,
            ("personal", "ip-address") => Self::IpAddress,
            ("personal", "mac-address") => Self::MacAddress,
            ("personal", "us-ssn") => Self::UsSsn,
            (
                "personal",
                "aadhaar" | "ahv" | "amka" | "at-sv" | "bsn" | "cnic" | "cnp" | "cpf" | "cpr" | "curp" | "dni" | "egn"
                | "fodselsnummer" | "hetu" | "hkid" | "my-number" | "national-id" | "nino" | "nir" | "nric" | "oib"
                | "personnummer" | "pesel" | "pps" | "resident-id" | "rijksregister" | "rodne-cislo" | "rrn" | "rut"
                | "rvnr" | "sin" | "tckn" | "thai-id" | "za-id",
            ) => Self::NationalId,
            (
                "personal",
                "afm" | "codice-fiscale" | "cuit" | "ird" | "nif" | "nip" | "pan" | "rfc" | "steuer-id" | "tax-id"
                | "tfn" | "us-itin",
            ) => Self::TaxId,
            ("personal", "abn" | "acn" | "cnpj" | "company-id" | "regon" | "siren" | "siret") => Self::CompanyId,
            ("personal", "nhs" | "health-plan" | "medicare") => Self::HealthPlanId,
            ("personal", "npi") => Self::Npi,
            ("personal", "medical-license") => Self::MedicalLicense,
            ("personal", "medical-record") => Self::MedicalRecord,
            ("personal", "bank-account") => Self::BankAccount,
            ("personal", "bank-routing") => Self::BankRouting,
            ("personal", "iban") => Self::Iban,
            ("personal", "bic") => Self::SwiftBic,
            ("personal", "card") => Self::CreditCard,
            ("personal", "card-code") => Self::CardCvv,
            ("personal", "card-expiry") => Self::CardExpiry,
            ("personal", "wallet") => Self::CryptoWallet,
            ("personal", "driver-license") => Self::DriverLicense,
            ("personal", "passport") => Self::Passport,
            ("personal", "vehicle") => Self::VehicleId,
            ("personal", "device-id") => Self::DeviceId,
            ("personal", "username") => Self::Username,
            ("personal", "reference") => Self::GenericId,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for entity in Entity::ALL {
            assert_eq!(Entity::parse(entity.as_str()), Some(entity));
        }
        assert_eq!(Entity::parse("person"), None);
    }

    #[test]
    fn what_holds_no_value_has_no_type() {
        assert_eq!(Entity::of("personal/iban"), Some(Entity::Iban));
        assert_eq!(Entity::of("secret/github-token"), Some(Entity::Secret));
        assert_eq!(Entity::of("injection/override"), None);
    }
}
