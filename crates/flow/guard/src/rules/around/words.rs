//! The words, in a dozen languages, and what each of them speaks of.

/// What words before a number can speak of. One bit each.
pub(crate) mod topic {
    pub(crate) const SSN: u64 = 1;
    pub(crate) const NHS: u64 = 1 << 1;
    pub(crate) const NPI: u64 = 1 << 2;
    pub(crate) const NATIONAL: u64 = 1 << 3;
    pub(crate) const TAX: u64 = 1 << 4;
    pub(crate) const COMPANY: u64 = 1 << 5;
    pub(crate) const ROUTING: u64 = 1 << 6;
    pub(crate) const PHONE: u64 = 1 << 7;
    pub(crate) const NOT_CARD: u64 = 1 << 8;
    pub(crate) const CARD_CODE: u64 = 1 << 9;
    pub(crate) const EXPIRY: u64 = 1 << 10;
    pub(crate) const ACCOUNT: u64 = 1 << 11;
    pub(crate) const RECORD: u64 = 1 << 12;
    pub(crate) const PASSPORT: u64 = 1 << 13;
    pub(crate) const HEALTH: u64 = 1 << 14;
    pub(crate) const LICENCE: u64 = 1 << 15;
    pub(crate) const DEVICE: u64 = 1 << 16;
    pub(crate) const VEHICLE: u64 = 1 << 17;
    pub(crate) const PERSON_ID: u64 = 1 << 18;
    pub(crate) const SWIFT: u64 = 1 << 19;
    pub(crate) const MEDICAL: u64 = 1 << 20;
    pub(crate) const BIRTH: u64 = 1 << 21;
    pub(crate) const AGE: u64 = 1 << 22;
    pub(crate) const VERSION: u64 = 1 << 23;
    pub(crate) const HOST: u64 = 1 << 24;
    pub(crate) const PESEL: u64 = 1 << 25;
    pub(crate) const NIP: u64 = 1 << 26;
    pub(crate) const CPF: u64 = 1 << 27;
    pub(crate) const BSN: u64 = 1 << 28;
    pub(crate) const AADHAAR: u64 = 1 << 29;
    pub(crate) const PAN: u64 = 1 << 30;
    pub(crate) const DNI: u64 = 1 << 31;
    pub(crate) const FISCALE: u64 = 1 << 32;
    pub(crate) const NIR: u64 = 1 << 33;
    pub(crate) const STEUER: u64 = 1 << 34;
    pub(crate) const RVNR: u64 = 1 << 35;
    pub(crate) const PERSON_NUMBER: u64 = 1 << 36;
    pub(crate) const HETU: u64 = 1 << 37;
    pub(crate) const CPR: u64 = 1 << 38;
    pub(crate) const FODSEL: u64 = 1 << 39;
    pub(crate) const AHV: u64 = 1 << 40;
    pub(crate) const CURP: u64 = 1 << 41;
    pub(crate) const RUT: u64 = 1 << 42;
    pub(crate) const SIN: u64 = 1 << 43;
    pub(crate) const TFN: u64 = 1 << 44;
    pub(crate) const NRIC: u64 = 1 << 45;
    pub(crate) const MY_NUMBER: u64 = 1 << 46;
    pub(crate) const RRN: u64 = 1 << 47;
    pub(crate) const RESIDENT: u64 = 1 << 48;
    pub(crate) const HKID: u64 = 1 << 49;
    pub(crate) const CNIC: u64 = 1 << 50;
    pub(crate) const TCKN: u64 = 1 << 51;
    pub(crate) const EGN: u64 = 1 << 52;
    pub(crate) const CNP: u64 = 1 << 53;
    pub(crate) const RODNE: u64 = 1 << 54;
    pub(crate) const OIB: u64 = 1 << 55;
    pub(crate) const IRD: u64 = 1 << 56;
    pub(crate) const NINO: u64 = 1 << 57;
    pub(crate) const MEDICARE: u64 = 1 << 58;
    pub(crate) const AMKA: u64 = 1 << 59;
    pub(crate) const AFM: u64 = 1 << 60;
    pub(crate) const RFC: u64 = 1 << 61;
    pub(crate) const NEDERLAND: u64 = 1 << 62;
}

use topic::{
    AADHAAR, ACCOUNT, AFM, AGE, AHV, AMKA, BIRTH, BSN, CARD_CODE, CNIC, CNP, COMPANY, CPF, CPR, CURP, DEVICE, DNI, EGN,
    EXPIRY, FISCALE, FODSEL, HEALTH, HETU, HKID, HOST, IRD, LICENCE, MEDICAL, MEDICARE, MY_NUMBER, NATIONAL, NEDERLAND,
    NHS, NINO, NIP, NIR, NOT_CARD, NPI, NRIC, OIB, PAN, PASSPORT, PERSON_ID, PERSON_NUMBER, PESEL, PHONE, RECORD,
    RESIDENT, RFC, RODNE, ROUTING, RRN, RUT, RVNR, SIN, SSN, STEUER, SWIFT, TAX, TCKN, TFN, VEHICLE, VERSION,
};

/// Each word and its topic.
pub(super) fn words() -> impl Iterator<Item = (u64, &'static str)> {
    WORDS.iter().flat_map(|(topic, words)| words.split('|').map(|word| (*topic, word)))
}

/// Words, lower case, with spaces where names have underscores, with bars between them.
pub(super) const WORDS: &[(u64, &str)] = &[
    (SSN, "ssn|ssns|social security|social-security|soc sec|itin"),
    (NHS, "nhs"),
    (NPI, "npi|provider id|national provider"),
    (
        NATIONAL,
        "national id|national identity|national identification|identity|identity card|id card|id number|id no|\
        identity document|identification|citizen id|citizenship|personal id|personal identity|personal code|\
        personal number|ausweis|ausweisnummer|personalausweis|personalausweisnummer|identyfik|dowodu|\
        numer dowodu|cedula|cédula|carte d'identité|carta d'identità|carta d'identita|documento|\
        documento de identidad|identificación|identiteitskaart|id-kaart|id-kort|henkilökortti|uidai",
    ),
    (
        TAX,
        "tax id|tax identification|tax payer|taxpayer|tax file|tax no|tin|tax number|fiscal code|fiscal|\
        numéro fiscal|nif|número fiscal|steuernummer|steuer-nr|steuernr|tax reference|utr|vat|vat id|ust-id|\
        ust-idnr|ustid|umsatzsteuer-id|tva|iva|p.iva|partita iva|btw|btw-nummer|moms",
    ),
    (
        COMPANY,
        "ein|employer identification|employer id|company no|company number|company registration|registered number|\
        crn|siren|siret|hrb|handelsregister|kvk|kvk-nummer|duns|d-u-n-s|cnpj|abn|acn|regon|krs|gstin|orgnr|\
        organisationsnummer|business number",
    ),
    (ROUTING, "routing|aba|rtn|transit|sort code|sort-code|sortcode|bsb|blz|bankleitzahl|ifsc"),
    (
        PHONE,
        "phone|phones|telephone|mobile|call me|call at|call her|call him|call us|call|calls|called|reach me|\
        reach him|reach her|reach us|reached at|text me|contact|dial|dial-in|fax|facsimile|whatsapp|cell|\
        cellphone|telefon|telefoon|telefono|telefonnummer|handy|mobil|mobiel|mobilnummer|móvil|movil|celular|\
        cellulare|tel|tel.|tel:|tél|tél.|téléphone|teléfono|telefone|tlf|puhelin|電話|电话|手机|sms|hotline|pager|\
        my number|his number|her number",
    ),
    (NOT_CARD, "order|tracking|invoice|timestamp|isbn|imei|serial|udi"),
    (
        CARD_CODE,
        "cvv|cvc|cvv2|cvc2|cid|csc|security code|card code|verification code|card verification|prüfnummer|\
        kartenprüfnummer|cryptogramme",
    ),
    (
        EXPIRY,
        "exp|expiry|expires|expiration|exp date|expiry date|expiration date|exp. date|valid thru|valid until|\
        valid to|good thru|card expiry|gültig bis|gueltig bis|ablaufdatum|verfalldatum|expire|expire le|\
        date d'expiration|caduca|caducidad|vencimiento|válido hasta|validade|scadenza|vervaldatum|geldig tot",
    ),
    (
        ACCOUNT,
        "account|accounts|account id|acct|acct.|acct no|a/c|acc|acc no|bank account|account #|checking|savings|\
        konto|kontonummer|konto-nr|kto|cuenta|rekening|rekeningnummer|conta|conto|compte|konto nr|rachunek|\
        rachunku|numer rachunku|kontonr|loan|loan account|iban",
    ),
    (
        RECORD,
        "mrn|mr|mrns|medical record|medical record id|med rec|medical id|patient id|patient no|patient number|\
        patient identifier|patient #|patient|hospital number|hospital no|hospital id|chart|chart no|chart number|\
        chart id|health record|case record|encounter|visit id|accession|patientennummer|patienten-id|fallnummer|\
        patientnummer|numéro de dossier|dossier médical|historia clínica|nhc|cartella clinica",
    ),
    (
        PASSPORT,
        "passport|passports|passport id|passport book|passeport|pasaporte|passaporto|passaporte|paspoort|\
        paspoortnummer|reisepass|reisepassnummer|passnummer|paszport|paszportu|pass no|pass nr|passi|护照|旅券",
    ),
    (
        HEALTH,
        "member id|member number|member no|membership|membership id|insurance id|insurance number|insurance no|\
        insurance|insured id|policy id|policyholder|subscriber id|subscriber|subscriber number|beneficiary|\
        beneficiary id|health plan|health plan id|health insurance|health card|medicare|medicaid|mbi|hicn|\
        plan id|group number|group no|krankenversicherung|krankenversichertennummer|versichertennummer|\
        versichertennr|versicherungsnummer|numéro d'assuré|tarjeta sanitaria|tessera sanitaria|zorgverzekering|\
        polisnummer|policy number|policy no|policy",
    ),
    (
        LICENCE,
        "driver license|driver's license|driver’s license|drivers license|driving license|driver licence|\
        driver's licence|driving licence|drivers licence|licence|license|license id|dl|dl no|d.l|dln|driver id|\
        führerschein|fuehrerschein|führerscheinnummer|permis|permis de conduire|carnet de conducir|\
        permiso de conducir|licencia|licencia de conducir|patente|patente di guida|rijbewijs|rijbewijsnummer|\
        körkort|førerkort|kørekort|ajokortti|prawo jazdy|cnh",
    ),
    (
        DEVICE,
        "serial|serial no|serial number|serial #|s/n|sn|imei|imei no|udi|device id|device|device identifier|\
        device serial|pacemaker|implant|esn|meid|uuid of device|seriennummer|serien-nr|geräte-id|gerätenummer|\
        numéro de série|número de serie|numero di serie|serienummer|android id|idfa|hardware id",
    ),
    (
        VEHICLE,
        "vin|vehicle|vehicle id|vehicle identification|vehicle registration|vehicle reg|license plate|\
        licence plate|number plate|plate|plates|plate no|registration plate|car registration|registration mark|\
        vrm|vrn|chassis|chassis no|tag number|fahrgestellnummer|kennzeichen|kfz-kennzeichen|immatriculation|\
        plaque|plaque d'immatriculation|matrícula|matricula|targa|kenteken|numer rejestracyjny|\
        registreringsnummer|reg no|bastidor|telaio|placa",
    ),
    (
        PERSON_ID,
        "employee id|employee no|employee number|employee|emp id|staff id|staff no|staff number|badge|badge id|\
        badge no|badge number|student id|student no|student number|student|application number|application no|\
        application id|applicant id|customer id|customer no|customer number|client number|client no|user id|\
        userid|case number|case no|case id|claim|claim id|claim number|claim no|certificate number|\
        certificate no|certificate|voter id|voter|enrollment|enrollment id|enrolment|matriculation|\
        matrikelnummer|personalnummer|mitarbeiternummer|kundennummer|kunden-nr|numéro client|numéro de client|\
        número de cliente|klantnummer|personeelsnummer|codice cliente|booking reference|pnr|frequent flyer|\
        loyalty|military id|service number|inmate|alien number|a-number|uscis|visa number|visa no",
    ),
    (SWIFT, "swift|bic|swift code|bic code|swift/bic|bic/swift|swift-bic|swift bic"),
    (
        MEDICAL,
        "dea|dea registration|dea #|medical license|medical licence|physician license|nursing license|\
        state license|prescriber|pharmacy license|gmc|gmc number|lanr|rpps|approbation|board certification",
    ),
    (
        BIRTH,
        "born|dob|d.o.b|d.o.b.|birth|birthdate|birthday|date of birth|birth date|b-day|geboren|geb.|geburtsdatum|\
        geburtstag|geboortedatum|né le|née le|ne le|nee le|date de naissance|naissance|nacido|nacida|nacimiento|\
        fecha de nacimiento|nato il|nata il|nascita|data di nascita|nascido|nascida|nascimento|född|fødselsdato|\
        født|fødd|syntynyt|syntymäaika|urodzony|urodzona|urodzenia|narozen|narozena|data nașterii|doğum tarihi|\
        生年月日|出生",
    ),
    (AGE, "age|aged|age/sex|alter|im alter von|âge|âgé de|âgée de|edad|età|leeftijd|idade|ålder|wiek"),
    (VERSION, "version|versions|ver|release|build|firmware|kernel|driver|revision|rev|chrome|patch|api"),
    (
        HOST,
        "ip|ips|ip address|ipv4|host|hosts|server|address|addr|gateway|dns|from|client|client ip|remote|source|\
        src|dst|destination|login from|subnet|peer",
    ),
    (PESEL, "pesel|pesel nr|numer pesel"),
    (NIP, "nip|numer nip"),
    (CPF, "cpf|cadastro de pessoas"),
    (BSN, "bsn|burgerservicenummer|burgerservice|sofinummer"),
    (AADHAAR, "aadhaar|aadhar"),
    (PAN, "pan|pan card|permanent account"),
    (DNI, "dni|nie|d.n.i|documento nacional"),
    (FISCALE, "codice fiscale|cod. fisc|c.f."),
    (NIR, "nir|insee|sécurité sociale|securite sociale|numéro de sécu|sécu"),
    (
        STEUER,
        "steuer-id|steuerid|steuer-identifikationsnummer|steueridentifikationsnummer|\
        steuerliche identifikationsnummer|idnr|identifikationsnummer|tax id",
    ),
    (RVNR, "sozialversicherungsnummer|rentenversicherungsnummer|sv-nummer|svnr|svnummer|rvnr"),
    (PERSON_NUMBER, "personnummer|personnr|samordningsnummer|personal identity number"),
    (HETU, "hetu|henkilötunnus|henkilotunnus"),
    (CPR, "cpr|cpr-nummer|cpr nr|cpr-nr|personnummer"),
    (FODSEL, "fødselsnummer|fodselsnummer|fnr|d-nummer|personnummer"),
    (AHV, "ahv|ahv-nummer|ahv-nr|avs|navs|sozialversicherungsnummer"),
    (CURP, "curp"),
    (RUT, "rut"),
    (SIN, "sin|social insurance"),
    (TFN, "tfn|tax file"),
    (NRIC, "nric|fin no|fin number"),
    (MY_NUMBER, "my number|mynumber|個人番号|マイナンバー"),
    (RRN, "rrn|resident registration|주민등록번호|주민번호"),
    (RESIDENT, "resident identity|resident id|身份证|身份证号|身份证号码"),
    (HKID, "hkid|hong kong identity|hong kong id"),
    (CNIC, "cnic|nic"),
    (TCKN, "tckn|t.c. kimlik|tc kimlik|kimlik|t.c."),
    (EGN, "egn|егн"),
    (CNP, "cnp|cod numeric personal"),
    (RODNE, "rodné číslo|rodne cislo|rodného čísla|rč|rč."),
    (OIB, "oib"),
    (IRD, "ird"),
    (NINO, "nino|national insurance|ni number|ni no"),
    (MEDICARE, "medicare"),
    (AMKA, "amka|αμκα"),
    (AFM, "afm|αφμ"),
    (RFC, "rfc"),
    (NEDERLAND, "rsin"),
];
